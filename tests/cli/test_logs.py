"""`bgpy logs`: what a server has logged."""

from __future__ import annotations

import itertools
import json
import os
import re
import time

import pytest
from support.processes import kill

from bgpy import RemoteError, connect, servers


@pytest.fixture
def client(camera):
    client = connect("camera")
    for number in range(5):
        client.call(number)
    return client


def test_the_last_lines(each_form, client):
    code, data, words = each_form.run("logs", "camera", "-n", 2)
    assert (code, data, words) == (0, "call 4 3\ncall 5 4\n", "")
    assert each_form.run("logs", "camera", "-n", 0)[1] == ""
    everything = each_form.run("logs", "camera")[1]
    assert "listens on" in everything.splitlines()[0]
    assert each_form.run("logs", "camera", "--since", "1h")[1] == everything
    assert each_form.run("logs", "camera", "--since", "2999-01-01T00:00:00Z")[1] == ""


def test_what_comes_until_the_server_ends(camera, client):
    follower = camera.spawn("logs", "camera", "-f", "-n", 1)
    assert follower.stdout.readline() == "call 5 4\n"
    client.call("more")
    assert follower.stdout.readline() == "call 6 more\n"
    client.terminate()
    rest, words = follower.communicate(timeout=30)
    assert (follower.returncode, words) == (0, "")
    assert "leaving\n" in rest
    assert rest.endswith("ended\n")


def test_after_the_end(camera, client):
    camera.run("stop", "camera")
    assert camera.run("logs", "camera", "-n", 1)[1].endswith("ended\n")
    assert camera.run("logs", "camera", "-f", "-n", 1)[1].endswith("ended\n")


def test_a_reader_that_has_gone(camera, client):
    follower = camera.spawn("logs", "camera", "-f")
    follower.stdout.readline()
    follower.stdout.close()
    client.call("nobody reads this")
    assert follower.wait(30) == 0


def test_nobody(commands):
    assert commands.run("logs", "camera")[:2] == (3, "")
    assert commands.run("logs", "camera", "--since", "soon")[:2] == (2, "")


NOISY = """
import os
import time

LINE = b"%08d " + b"." * 1014 + b"\\n"


def init_task():
    return {}


def exec_task(client_socket, state, args):
    # What print does, at a pace that it does not have.
    began = time.perf_counter()
    for first in range(0, args["lines"], 1024):
        lines = b"".join(LINE % number for number in range(first, first + 1024))
        os.write(1, lines)
        written = (first + 1024) * 1024
        time.sleep(max(0, began + written / args["bytes_per_s"] - time.perf_counter()))


def exit_task(client_socket, state, args):
    pass
"""


def test_a_writer_of_50_mb_a_second_loses_no_line_at_a_rotation(commands, tmp_path, runtime):
    tasks = tmp_path / "noisy.py"
    tasks.write_text(NOISY)
    assert commands.run("start", tasks)[0] == 0
    follower = commands.spawn("logs", "noisy", "-f", "-n", 1, text=False)
    assert b"ready at " in follower.stdout.readline()
    count = 200 * 1024
    connect("noisy").execute({"lines": count, "bytes_per_s": 50e6})
    for number in range(count):
        line = follower.stdout.readline()
        assert line[:9] == b"%08d " % number
        assert len(line) == 1024
    connect("noisy").terminate()
    rest, words = follower.communicate(timeout=30)
    assert (follower.returncode, words) == (0, b"")
    assert rest.endswith(b"ended\n")
    logs = sorted(path.name for path in runtime.glob("*.log*"))
    assert [name.partition(".")[2] for name in logs] == [
        "log",
        *(f"log.{age}" for age in range(1, 7)),
    ]


FLOODING = NOISY.replace(
    "    # What print",
    """    if args == "fail":
        raise ValueError("this went wrong")
    if args == "over":
        print("it is over")
        return client_socket.respond(None)
    # What print""",
).replace("\n\ndef exit_task", "\n    client_socket.respond(None)\n\ndef exit_task")
ERROR = re.compile(
    r" ERROR +Exec failed [^\n]*ValueError: this went wrong\n"
    r"(?: {4}[^\n]*\n)*    ValueError: this went wrong\n"
)


def elsewhere(tmp_path):
    """Return what reaches the only server as if it ran on another machine."""
    (info,) = servers()
    (entry,) = info.log_file.parent.glob("*.json")
    token = tmp_path / "token"
    token.write_text(json.loads(entry.read_text())["token"])
    there = {"env": os.environ | {"BGPY_RUNTIME_DIR": str(tmp_path / "elsewhere")}}
    return [info.address, "--token-file", token], there


def tail(path):
    """Return the end of a file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1000))
        return file.read()


def test_the_beginning_and_the_last_error_survive_any_flood(commands, tmp_path):
    tasks = tmp_path / "noisy.py"
    tasks.write_text(FLOODING)
    assert commands.run("start", tasks)[0] == 0
    client = connect("noisy")
    with pytest.raises(RemoteError):
        client.call("fail")
    beginning = commands.run("logs", "noisy")[1].splitlines(keepends=True)
    first = next(at for at, line in enumerate(beginning) if " listens on " in line)
    last = next(at for at, line in enumerate(beginning) if "ready at " in line)
    beginning = "".join(beginning[first : last + 1])
    target, there = elsewhere(tmp_path)
    followers = []
    for number, (words, options) in enumerate(((["noisy"], {}), (target, there))):
        with (tmp_path / f"followed{number}").open("wb") as output:
            follow = ("logs", *words, "-f", "-n", 0)
            followers.append(commands.spawn(*follow, stdout=output, **options))
    # What the followers have not begun to follow yet they will not see.
    client.execute({"lines": 1024, "bytes_per_s": 1e6})
    count = 100 * 1024
    for _ in range(2):
        client.call({"lines": count, "bytes_per_s": 60e6}, timeout=60)
    for words in (["noisy"], target):
        code, data, _ = commands.run("logs", *words, **(there if words is target else {}))
        lines = data.splitlines(keepends=True)
        assert code == 0
        assert data.startswith(beginning)
        assert len(ERROR.findall(data)) == data.count("this went wrong") // 2 == 1
        assert data.count(" listens on ") == data.count("what is kept of those") == 1
        assert len(lines) == 100 + next(
            at for at, line in enumerate(lines, 1) if "what is kept of those" in line
        )
        assert commands.run("logs", *words, "-n", 1)[1].count("\n") == 1
    everything = commands.run("logs", "noisy", "-n", 10_000_000)[1]
    assert everything.startswith(beginning)
    # Lines of the flood follow one another: none is missing, twice or torn.
    flood = [int(line[:9]) for line in everything.splitlines() if line.endswith("." * 1014)]
    assert len(flood) > 40 * 1024
    assert all(b == (a + 1) % count for a, b in itertools.pairwise(flood))
    client.call("over")
    # Whoever follows from elsewhere is told nothing any more when the server has ended.
    end = time.monotonic() + 60
    while not all(b"it is over" in tail(path) for path in tmp_path.glob("followed*")):
        assert time.monotonic() < end
        time.sleep(0.02)
    client.terminate()
    for number, follower in enumerate(followers):
        assert follower.wait(60) == 0
        text = (tmp_path / f"followed{number}").read_bytes()
        assert b" listens on " not in text
        assert b"this went wrong" not in text
        numbers = [int(line[:9]) for line in text.splitlines() if line.endswith(b"." * 1014)]
        assert numbers[-2 * count :] == [*range(count), *range(count)]
        # Nobody is left there to say how it went on.
        assert number == 1 or text.endswith(b"ended\n")


def test_an_error_of_before_a_restart_survives_as_well(commands, tmp_path):
    tasks = tmp_path / "noisy.py"
    tasks.write_text(FLOODING)
    assert commands.run("start", tasks, "--restart", "on-failure")[0] == 0
    (info,) = servers()
    kill(info.pid)
    for _ in range(2):
        connect("noisy").call({"lines": 100 * 1024, "bytes_per_s": 60e6}, timeout=60)
    data = commands.run("logs", "noisy")[1]
    # Why it was started again, and then the server that runs now.
    assert data.index("SIGKILL") < data.index(" listens on ")
    assert data.count(" listens on ") == 1
    connect("noisy").terminate()


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_it_is_followed_over_a_restart(commands, tasks, tmp_path, monkeypatch, where):
    assert commands.run("start", tasks, "--restart", "on-failure")[0] == 0
    (info,) = servers()
    target: list[object] = ["camera"]
    if where == "elsewhere":
        target, there = elsewhere(tmp_path)
    else:
        there = {}
    follower = commands.spawn("logs", *target, "-f", **there)
    assert "listens on" in follower.stdout.readline()
    kill(info.pid)
    connect("camera").call("after the crash", timeout=30)
    lines = []
    while not lines or lines[-1] != "call 1 after the crash\n":
        lines.append(follower.stdout.readline())
        assert lines[-1]
    assert any("starting it again (generation 1)" in line for line in lines)
    connect("camera").terminate()
    follower.communicate(timeout=30)
    assert follower.returncode == 0


@pytest.mark.parametrize("words", [["restart", "camera"], ["start", "--replace"]])
def test_a_successor_keeps_a_follower_going(camera, tasks, words):
    words = words if words[0] == "restart" else [*words, tasks]
    follower = camera.spawn("logs", "camera", "-f")
    while "taking the tasks" not in follower.stdout.readline():
        pass
    for _ in range(2):
        assert camera.run(*words)[0] == 0
        assert json.loads(camera.run("call", "camera", '"again"')[1])["calls"] == 1
        while "call 1 again" not in follower.stdout.readline():
            pass
    assert camera.run("stop", "camera")[0] == 0
    rest, words = follower.communicate(timeout=30)
    assert rest.rstrip().endswith("ended")
    assert (follower.returncode, words) == (0, "")
