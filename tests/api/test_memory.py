"""Memory that cannot be had fails one call; client, server and connection go on."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bgpy import Client, RemoteError, Server

SHORT = """
import array, resource

class Bag:
    def __init__(self, items):
        self.items = items

def numbers(count):
    return [[number / 3, -number] for number in range(count)]

BIG = {
    "bytes": lambda: bytes(120 << 20),
    "more bytes": lambda: bytes(400 << 20),
    "bytearray": lambda: bytearray(150 << 20),
    "text": lambda: "x" * (120 << 20),
    "wide text": lambda: chr(0x20ac) * (50 << 20),
    "numbers": lambda: numbers(1_000_000),
    "texts": lambda: [[f"text {number}"] for number in range(1_500_000)],
    "set": lambda: set(range(1 << 40, (1 << 40) + 2_500_000)),
    "tuple": lambda: tuple(range(1 << 40, (1 << 40) + 4_000_000)),
    "dict": lambda: {number: None for number in range(1 << 40, (1 << 40) + 2_000_000)},
    "int": lambda: 1 << (60 << 23),
    "array": lambda: array.array("d", bytes(150 << 20)),
    "pickle": lambda: Bag(numbers(1_000_000)),
}

def limit(mib):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + (mib << 20), hard))

def unlimited():
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
"""

TASKS = """
from short import BIG, limit, unlimited

def init_task():
    return {}

def exec_task(socket, state, args):
    if isinstance(args, dict) and "limit" in args:
        limit(args["limit"])
    if isinstance(args, dict) and "after" in args:
        open(args["after"]).close()
    if isinstance(args, dict) and "raise" in args:
        raise ValueError("x" * (args["raise"] << 20))
    if isinstance(args, dict) and "make" in args:
        return socket.respond(BIG[args["make"]]())
    socket.respond("ok")

def exit_task(socket, state, args):
    unlimited()
"""

CLIENT = """
import sys
import bgpy
from short import BIG, Bag, limit, unlimited

port, token, kind, role, allow_pickle = sys.argv[1:]
client = bgpy.Client("127.0.0.1", int(port), token=token, allow_pickle=allow_pickle == "True")
client.call("small", timeout=60)
if kind == "pickle":
    # What pickling imports is there: an import without memory may end in any error.
    client.call(Bag([]), timeout=60)
argument = BIG[kind]() if role == "argument" else {role: int(kind) if role == "raise" else kind}
limit(4 if role == "argument" else 40)
try:
    client.call(argument, timeout=60)
except MemoryError as error:
    print("MemoryError")
else:
    print("done")
del argument
print(client.call("small", timeout=60))
unlimited()
client.close()
"""

# What is sent from where it lies needs no memory of the sender.
COPIED = ["wide text", "numbers", "texts", "set", "tuple", "dict", "int", "pickle"]
KINDS = ["bytes", "more bytes", "bytearray", "text", "array", *COPIED]
PLAIN = [kind for kind in KINDS if kind not in ("array", "pickle")]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc"),
]


def imported(directory: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (directory / "short.py").write_text(SHORT)
    tasks = directory / "tasks.py"
    tasks.write_text(TASKS)
    monkeypatch.setenv("PYTHONPATH", str(directory))
    monkeypatch.syspath_prepend(str(directory))
    sys.modules.pop("short", None)
    return str(tasks)


def elsewhere(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Let clients find no Unix socket, so that they take TCP."""
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(directory))


@pytest.fixture(params=["unix", "tcp"])
def reach(
    request: pytest.FixtureRequest,
    start: Callable[..., Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Server]:
    tasks = imported(tmp_path, monkeypatch)

    def reach(**options: Any) -> Server:
        server = start(init_file=tasks, token="t" * 64, **options)
        if request.param == "tcp":
            elsewhere(monkeypatch, tmp_path / "elsewhere")
        return server

    return reach


def big(kind: str) -> Any:
    import short  # type: ignore[import-not-found]

    return short.BIG[kind]()


@pytest.mark.parametrize("kind", KINDS)
def test_an_argument_that_a_server_has_no_memory_for_fails_its_call(
    reach: Callable[..., Server], kind: str
) -> None:
    server = reach()
    client = Client(server.host, server.port, token="t" * 64)
    assert client.call({"limit": 40}, timeout=60) == "ok"
    for _ in range(2):
        with pytest.raises(RemoteError, match="memory") as raised:
            client.call(big(kind), timeout=60)
        assert raised.value.exception_type == "MemoryError"
        assert client.call("small", timeout=60) == "ok"
    assert client.status(timeout=60)["clients"] == 1, "it is the same connection"


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_a_server_has_no_memory_for_fails_its_call(
    reach: Callable[..., Server], kind: str
) -> None:
    server = reach()
    client = Client(server.host, server.port, token="t" * 64)
    assert client.call({"limit": 30}, timeout=60) == "ok"
    with pytest.raises(RemoteError) as raised:
        client.call({"make": kind}, timeout=60)
    assert raised.value.exception_type == "MemoryError"
    assert client.call("small", timeout=60) == "ok"


def ask(server: Server, kind: str, role: str, *, allow_pickle: bool) -> list[str]:
    script = [sys.executable, "-c", CLIENT]
    arguments = [str(server.port), "t" * 64, kind, role, str(allow_pickle)]
    done = subprocess.run(
        [*script, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("mib", [25, 35, 60])
def test_an_exception_that_a_client_has_no_memory_for_is_a_memory_error(
    reach: Callable[..., Server], mib: int
) -> None:
    """It has memory for all of the bytes but not for the exception, or for some of them only."""
    assert ask(reach(), str(mib), "raise", allow_pickle=True) == ["MemoryError", "ok"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_a_client_has_no_memory_for_is_a_memory_error(
    reach: Callable[..., Server], kind: str
) -> None:
    assert ask(reach(), kind, "make", allow_pickle=True) == ["MemoryError", "ok"]


@pytest.mark.parametrize("kind", COPIED)
def test_an_argument_that_a_client_has_no_memory_for_is_a_memory_error(
    reach: Callable[..., Server], kind: str
) -> None:
    assert ask(reach(), kind, "argument", allow_pickle=True) == ["MemoryError", "ok"]


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_answers_as_well(reach: Callable[..., Server], kind: str) -> None:
    server = reach(allow_pickle=False)
    assert ask(server, kind, "make", allow_pickle=False) == ["MemoryError", "ok"]


def test_an_exception_that_there_is_no_memory_to_tell_of_is_cut(
    reach: Callable[..., Server],
) -> None:
    server = reach()
    client = Client(server.host, server.port, token="t" * 64)
    for mib, limit in ((100, 120), (100, 220), (100, 450), (300, 340)):
        assert client.call({"limit": limit}, timeout=60) == "ok"
        with pytest.raises(RemoteError) as raised:
            client.call({"raise": mib}, timeout=60)
        assert raised.value.exception_type == "ValueError"
        assert len(str(raised.value)) < 1 << 20
        assert client.call("small", timeout=60) == "ok"
    assert server.log_file is not None
    assert Path(server.log_file).stat().st_size < 10 << 20


WAITER = """
import sys
import bgpy

port, token, fifo = sys.argv[1:]
client = bgpy.Client("127.0.0.1", int(port), token=token)
try:
    client.call({"after": fifo, "make": "bytes"}, timeout=60)
except bgpy.ConnectionLost:
    print("lost")
"""


def test_an_answer_that_nobody_reads_and_that_has_no_room_ends_its_connection(
    reach: Callable[..., Server], tmp_path: Path
) -> None:
    server = reach()
    client = Client(server.host, server.port, token="t" * 64)
    # Enough for the answer, and not for the copy of what its reader leaves lying.
    assert client.call({"limit": 160}, timeout=60) == "ok"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-c", WAITER, str(server.port), "t" * 64, str(fifo)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiter:
        try:
            # When the FIFO has a reader, the task has begun. Its caller reads nothing from now on.
            with fifo.open("w"):
                os.kill(waiter.pid, signal.SIGSTOP)
                os.waitid(os.P_PID, waiter.pid, os.WSTOPPED | os.WNOWAIT)
            assert client.call("small", timeout=60) == "ok"
            assert client.status(timeout=60)["clients"] == 1
            os.kill(waiter.pid, signal.SIGCONT)
            output, _ = waiter.communicate(timeout=60)
        finally:
            waiter.kill()
    assert output.split() == ["lost"]
    assert server.log_file is not None
    told = Path(server.log_file).read_text()
    assert "is cut: there is not enough memory for the rest of a response" in told


def test_the_command_fails_with_a_sentence(reach: Callable[..., Server], tmp_path: Path) -> None:
    server = reach()
    token = tmp_path / "token"
    token.write_text("t" * 64)
    command = [str(Path(sys.executable).with_name("bgpy")), "call"]
    target = [f"{server.host}:{server.port}", "--token-file", str(token)]

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))

    for kind in ("text", "texts", "numbers", "bytes", "more bytes", "int", "pickle"):
        done = subprocess.run(
            [*command, *target, f'{{"make": "{kind}"}}'],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=limited,
            timeout=60,
        )
        assert done.returncode == 1, (kind, done.stderr)
        assert "memory" in done.stderr.lower(), kind
    small = subprocess.run([*command, *target, "1"], capture_output=True, check=True, text=True)
    assert small.stdout == '"ok"\n'
