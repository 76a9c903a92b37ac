"""A client talks to nobody who has not proven to be its server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bgpy
from bgpy import AuthError, Client, ConfigError, ConnectError, NotRunning, Server, token_create

HOST = "127.0.0.1"

# A server that takes everybody, of somebody with another registry. It tells what it was sent, and
# answers with a pickle that runs code.
STRANGER = """
import os, sys
from bgpy import Server

open("tasks.py", "w").write('''
import os
class Evil:
    def __reduce__(self):
        return os.mkdir, ("HOME_OF_THE_CLIENT/opened",)
def init_task():
    return {}
def exec_task(client_socket, state, args):
    open("sent", "a").write(repr(args))
    client_socket.respond(Evil())
def exit_task(client_socket, state, args):
    open("sent", "a").write("EXIT")
'''.replace("HOME_OF_THE_CLIENT", sys.argv[2]))
Server("127.0.0.1", int(sys.argv[1]), init_file="tasks.py", auth=False).run()
"""

HAS_USERS = hasattr(os, "getuid") and os.getuid() == 0 and shutil.which("setpriv") is not None


class Strangers:
    """Servers of somebody else; what reached them, and whether their pickles were opened."""

    def __init__(self, directory: Path, user: int | None) -> None:
        self.directory = directory
        self.home = directory / "client"
        self.home.mkdir()
        self.theirs = directory / "stranger"
        self.theirs.mkdir(mode=0o700)
        self.wrap: list[str] = []
        if user is not None:
            os.chown(self.theirs, user, user)
            self.wrap = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        self.running: list[subprocess.Popen[str]] = []

    def take(self, port: int) -> int:
        """Hold a port, and return it."""
        run = self.theirs / "run"
        process = subprocess.Popen(
            [*self.wrap, sys.executable, "-c", STRANGER, str(port), str(self.home)],
            env=os.environ | {"BGPY_RUNTIME_DIR": str(run), "HOME": str(self.theirs)},
            cwd=self.theirs,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        assert process.stderr is not None
        words = ""
        while "listens on" not in words:
            line = process.stderr.readline()
            assert line, words
            words += line
        return int(words.rpartition(":")[2])

    def learnt_nothing(self) -> bool:
        """Return whether nothing was sent, and nothing of theirs was opened."""
        return not (self.theirs / "sent").exists() and not (self.home / "opened").exists()

    def close(self) -> None:
        """End them."""
        for process in self.running:
            process.kill()
            with process:
                pass


@pytest.fixture(
    params=[
        None,
        pytest.param(65534, marks=pytest.mark.skipif(not HAS_USERS, reason="needs root")),
    ],
    ids=["same user", "another user"],
)
def strangers(request, tmp_path_factory):
    """Return servers of somebody else, who may be another user of this machine."""
    # Another user has to get to it.
    directory = tmp_path_factory.mktemp("strangers")
    for parent in [directory, *directory.parents]:
        if parent.stat().st_uid == os.getuid() and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    strangers = Strangers(directory, request.param)
    yield strangers
    strangers.close()


def refuses(act) -> bool:
    """Return whether a client says that it does not trust who listens."""
    with pytest.raises(AuthError, match="cannot be verified"):
        act()
    return True


def test_who_listens_at_a_port_is_not_trusted(strangers):
    client = Client(HOST, strangers.take(0))
    assert refuses(lambda: client.call({"password": "hunter2"}))
    assert refuses(lambda: client.execute({"password": "hunter2"}))
    assert refuses(client.status)
    assert refuses(client.ping)
    assert refuses(client.terminate)
    assert refuses(lambda: bgpy.connect(f"{HOST}:{client.port}"))
    assert strangers.learnt_nothing()


def test_the_functions_with_a_default_address_trust_nobody_either(strangers):
    port = strangers.take(0)
    assert refuses(lambda: bgpy.initialize(dict, print, print, port=port))
    assert refuses(lambda: bgpy.execute({"password": "hunter2"}, port=port))
    assert refuses(lambda: bgpy.terminate(port=port))
    assert strangers.learnt_nothing()


@pytest.mark.parametrize("auth", [True, False])
def test_a_client_that_has_seen_a_proof_asks_for_one_ever_after(strangers, orphan, auth):
    client = Client(HOST, orphan.port, auth=auth)
    client.ping()
    orphan.kill()
    strangers.take(orphan.port)
    assert refuses(lambda: client.call({"password": "hunter2"}))
    assert strangers.learnt_nothing()


def test_a_token_of_the_environment_does_not_replace_the_one_that_was_proven(
    start, runtime, tmp_path, monkeypatch
):
    server = start()
    client = Client(HOST, server.port)
    client.ping()
    port = server.port
    server.stop()
    monkeypatch.setenv("BGPY_TOKEN", token_create())
    with monkeypatch.context() as elsewhere:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        elsewhere.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
        other = start(port=port)
    with pytest.raises(AuthError, match="cannot be verified"):
        client.ping()
    # Whoever has seen no other proof believes the environment, and goes on to.
    fresh = Client(HOST, port)
    fresh.ping()
    fresh.close()
    fresh.ping()
    other.stop()


def test_a_token_in_environment_and_registry_alike_is_one_proof(
    start, runtime, tmp_path, monkeypatch
):
    monkeypatch.setenv("BGPY_TOKEN", token_create())
    server = start()
    client = Client(HOST, server.port)
    client.ping()
    client.close()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    client.ping()


def test_a_client_does_not_follow_the_environment_to_another_token(start, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    first, second = token_create(), token_create()
    with monkeypatch.context() as here:
        here.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "run"))
        server = start(token=first)
    monkeypatch.setenv("BGPY_TOKEN", first)
    client = Client(HOST, server.port)
    client.ping()
    with monkeypatch.context() as here:
        here.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "run"))
        server.stop()
        start(token=second, port=server.port)
    monkeypatch.setenv("BGPY_TOKEN", second)
    with pytest.raises(AuthError, match="cannot be verified: .* another server") as raised:
        client.ping()
    assert "auth=False" not in str(raised.value)
    Client(HOST, server.port).ping()


def test_an_entry_that_a_dead_server_has_left_gives_nobody_its_place(strangers, orphan, runtime):
    client = Client(HOST, orphan.port)
    client.ping()
    (entry,) = runtime.glob("*.json")
    left = entry.read_text()
    orphan.kill()
    strangers.take(orphan.port)
    entry.write_text(left)
    entry.chmod(0o600)
    for each in (client, Client(HOST, orphan.port)):
        with pytest.raises((AuthError, NotRunning)):
            each.call({"password": "hunter2"})
    assert strangers.learnt_nothing()


def without_a_token(runtime: Path) -> Path:
    """Let the entry be as those of servers of version 1.0 that took everybody."""
    (path,) = runtime.glob("*.json")
    entry = json.loads(path.read_text())
    path.write_text(json.dumps(entry | {"token": None}))
    return path


def test_a_server_of_ones_own_without_a_token_is_known_by_its_socket(start, runtime):
    server = start(name="open", auth=False)
    without_a_token(runtime)
    Client("open").ping()
    Client(HOST, server.port).ping()


def test_an_entry_without_a_token_opens_no_port(start, runtime, strangers):
    start(name="open", auth=False)
    path = without_a_token(runtime)
    address = f"{HOST}:{strangers.take(0)}"
    entry = json.loads(path.read_text())
    path.write_text(json.dumps(entry | {"socket": None, "address": address}))
    assert refuses(lambda: Client("open").call({"password": "hunter2"}))
    assert refuses(lambda: Client(address).call({"password": "hunter2"}))
    assert strangers.learnt_nothing()


def test_whoever_wants_no_proof_says_so(start, tmp_path, monkeypatch):
    server = start(auth=False)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    assert refuses(Client(HOST, server.port).ping)
    Client(HOST, server.port, auth=False).ping()
    bgpy.connect(f"{HOST}:{server.port}", auth=False).close()
    assert server.is_alive()


def test_who_wants_no_proof_is_not_bound_by_the_environment(start, tmp_path, monkeypatch):
    server = start(auth=False)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("BGPY_TOKEN", "stale")
    Client(HOST, server.port, auth=False).ping()
    with pytest.raises(AuthError):
        Client(HOST, server.port).ping()


def test_without_authentication_a_server_asks_still(start, tmp_path, monkeypatch):
    server = start()
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    with pytest.raises(AuthError, match="requires a token"):
        Client(HOST, server.port, auth=False).ping()


def test_an_open_server_proves_its_token_to_who_knows_it(start, tmp_path, monkeypatch):
    token = token_create()
    server = start(auth=False, token=token)
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    Client(HOST, server.port, token=token).ping()
    with pytest.raises(AuthError, match="did not accept the token"):
        Client(HOST, server.port, token=token_create()).ping()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match="auth=False"):
        Client(HOST, 1, token=token_create(), auth=False)
    with pytest.raises(ConfigError, match="another machine"):
        Client("192.0.2.1", 1, auth=False).ping()


def test_functions_start_a_server_without_authentication_where_no_entry_can_be(
    tmp_path, monkeypatch
):
    # A file where the registry's directory should be.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "file"))
    server = bgpy.start((dict, print, print), auth=False)
    try:
        assert server.is_alive()
    finally:
        server.stop()


@pytest.mark.skipif(not HAS_USERS, reason="needs root")
def test_the_socket_of_another_user_is_not_talked_to(strangers, request):
    if not strangers.wrap:
        pytest.skip("it is the same user's")
    strangers.take(0)
    (socket,) = (strangers.theirs / "run").glob("*.sock")
    for options in ({}, {"auth": False}, {"token": token_create()}):
        with pytest.raises(ConnectError, match="another user"):
            Client(str(socket), **options).ping()


def test_a_server_in_a_block_needs_no_registry(tmp_path, monkeypatch):
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "run"))
    with Server(HOST, 0, auth=False) as server:
        Client(HOST, server.port).ping()
