"""What stands in the place of a server's files is not believed, and is put right."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from support.processes import kill, supervisor_of
from support.replacements import (
    KINDS,
    a_directory,
    a_fifo,
    a_link_to_another,
    a_link_to_nothing,
    garbage,
    remove,
)

from bgpy import (
    AuthError,
    BgpyError,
    Client,
    NameTaken,
    NotRunning,
    Server,
    connect,
    respond,
    servers,
)
from bgpy import start as start_named

LIMIT_S = 20
SOCKET_TOLD = "by the server's own socket"


def until(true):
    """Wait for what nobody tells of: a file system has no event that all systems know."""
    end = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end, "it is not put back"
        time.sleep(0.02)


each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def echo(client_socket, state, args):
    respond(client_socket, [os.getpid(), args])


TASKS = (dict, echo, lambda *_: None)


def files_of(server):
    """Return the entry and the socket of a server."""
    (info,) = [info for info in servers() if info.pid == server.pid]
    assert info.socket is not None
    return {"json": info.socket.with_suffix(".json"), "sock": info.socket}


@pytest.fixture
def named(runtime):
    """Return a function that starts servers with a name, which are ended with the test."""
    started = []

    def named(name, **options):
        server = start_named(TASKS, name, **options)
        started.append((server, supervisor_of(server.pid)))
        return server

    yield named
    for server, supervisor in started:
        for pid in (supervisor, server.pid):
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, 9)
        server.wait(20)


def is_entry_of(path, server):
    """Tell whether an entry is as the server has written it."""
    about = path.lstat()
    if not stat.S_ISREG(about.st_mode) or stat.S_IMODE(about.st_mode) != 0o600:
        return False
    try:
        entry = json.loads(path.read_text())
    except ValueError:
        return False
    return entry["process"]["pid"] == server.pid and entry["address"].startswith("127.0.0.1:")


def is_socket_of(path, server):
    """Tell whether the server listens on a socket."""
    if not stat.S_ISSOCK(path.lstat().st_mode) or stat.S_IMODE(path.lstat().st_mode) in (0, 0o777):
        return False
    with socket.socket(socket.AF_UNIX) as knock:
        try:
            knock.connect(str(path))
        except OSError:
            return False
        return knock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4)[:4] == peer_of(server)


def peer_of(server):
    """Return the process that listens: a supervisor that keeps the place does."""
    return server.pid.to_bytes(4, "little")


IS_IN_PLACE = {"json": is_entry_of, "sock": is_socket_of}


def in_place(what, path, server):
    try:
        return IS_IN_PLACE[what](path, server)
    except FileNotFoundError:
        return False


@each_kind
def test_it_is_put_right(named, kind):
    others = {auth: named(f"other-{auth}", auth=auth) for auth in (True, False)}
    foreign = {auth: files_of(other) for auth, other in others.items()}
    before = {path: path.lstat() for files in foreign.values() for path in files.values()}
    texts = {auth: files["json"].read_text() for auth, files in foreign.items()}
    mine = [
        (named(f"{what}-{auth}", auth=auth), what, auth)
        for what in ("json", "sock")
        for auth in (True, False)
    ]
    places = [(server, what, auth, files_of(server)[what]) for server, what, auth in mine]
    old = [connect(server.name, auth=auth) for server, what, auth in mine]
    for server, what, auth, path in places:
        kind(path, foreign[auth][what])
        # Meanwhile the right server is reached, or none.
        for target in targets(server, path):
            # Without an entry there is no name, and nothing tells the token.
            may_fail = suppress(NotRunning, AuthError) if what == "json" else nullcontext()
            with may_fail, connect(target, auth=auth, timeout=5) as fresh:
                assert fresh.call(2, timeout=5) == [server.pid, 2]
    for (server, *_), client in zip(places, old, strict=True):
        assert client.call(3) == [server.pid, 3]
    for server, what, auth, path in places:
        until(lambda what=what, path=path, server=server: in_place(what, path, server))
        for target in targets(server, path):
            with connect(target, auth=auth) as fresh:
                assert fresh.call(4) == [server.pid, 4]
    for (server, *_), client in zip(places, old, strict=True):
        assert client.call(5) == [server.pid, 5]
        client.close()
    # Nothing was done to that to which a link led.
    for path, about in before.items():
        assert path.lstat().st_ino == about.st_ino
        assert path.lstat().st_mode == about.st_mode
    assert texts == {auth: files["json"].read_text() for auth, files in foreign.items()}
    for auth, other in others.items():
        assert connect(other.name, auth=auth).call(6) == [other.pid, 6]
    assert len(servers()) == 6
    for server, _, _, path in places:
        server.stop(timeout=20)
        assert not path.exists()
        assert not path.is_symlink()


def targets(server, path):
    return server.name, f"127.0.0.1:{server.port}", str(path.with_suffix(".sock"))


@pytest.mark.parametrize("what", ["json", "sock", "name"])
def test_a_directory_with_something_in_it_is_left_and_told_of_once(named, runtime, what):
    server = named("mine")
    files = files_of(server) | {"name": runtime / "mine.name"}
    path = files[what]
    path.unlink()
    path.mkdir()
    (path / "somebodys").write_text("work")
    log = Path(server.log_file)
    until(lambda: f"'{path}' is a directory with something in it: move it away" in log.read_text())
    # The others are put back all the same.
    (other,) = {"json", "sock"} - {what} if what != "name" else {"sock"}
    files[other].unlink()
    until(lambda: in_place(other, files[other], server))
    looks = len(log.read_text().splitlines())
    assert (path / "somebodys").read_text() == "work"
    shutil.rmtree(path)
    until(lambda: in_place(what, path, server) if what != "name" else path.is_file())
    assert log.read_text().count("with something in it") == 1
    assert len(log.read_text().splitlines()) == looks
    assert connect("mine").call(1) == [server.pid, 1]
    with pytest.raises(NameTaken):
        start_named(TASKS, "mine")


@pytest.mark.parametrize(
    "kind", [a_directory, a_link_to_nothing, a_link_to_another, a_fifo, garbage]
)
def test_the_lock_of_a_name_is_put_right(named, runtime, kind, tmp_path):
    server = named("mine")
    path, other = runtime / "mine.name", tmp_path / "somebodys"
    other.write_text("work")
    kind(path, other)
    # Whoever starts one meanwhile neither hangs nor writes where the link leads.
    until(lambda: path.is_file() and not path.is_symlink())
    until(lambda: is_locked(path))
    with pytest.raises(NameTaken):
        start_named(TASKS, "mine")
    assert other.read_text() == "work"
    assert not (runtime / "nothing").exists()
    assert connect("mine").call(1) == [server.pid, 1]


def is_locked(path):
    import fcntl

    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize("kind", [a_directory, a_link_to_nothing, a_fifo])
def test_a_name_whose_lock_is_something_else_is_refused(runtime, kind):
    path = runtime / "mine.name"
    path.touch()
    kind(path, None)
    with pytest.raises(BgpyError, match=r"mine\.name' is a .*, and no file: remove it"):
        start_named(TASKS, "mine", timeout=20)
    assert not (runtime / "nothing").exists()
    remove(path)
    start_named(TASKS, "mine").stop(20)


@pytest.mark.parametrize("kind", [garbage, a_directory, a_link_to_another, a_fifo])
def test_one_that_is_started_again(named, kind):
    """Also while nobody is there who would put it right, and after its socket is another one."""
    other = named("other")
    server = named("mine", restart="on-failure")
    files, foreign = files_of(server), files_of(other)
    log = Path(server.log_file)
    for generation in (1, 2):
        info = the("mine")
        assert connect("mine").call(1) == [info.pid, 1]
        for what, path in files.items():
            kind(path, foreign[what])
        kill(info.pid)
        until(lambda generation=generation: generation_of("mine") == generation)
        info = the("mine")
        for target in targets(server, files["json"]):
            assert connect(target).call(2) == [info.pid, 2]
        until(lambda generation=generation: log.read_text().count(SOCKET_TOLD) == generation)
        until(lambda info=info: in_place("json", files["json"], info))
        until(lambda info=info: in_place("sock", files["sock"], info))
        for target in targets(server, files["json"]):
            assert connect(target).call(3) == [info.pid, 3]
    assert connect("other").call(4) == [other.pid, 4]


def the(name):
    (info,) = [info for info in servers() if info.name == name]
    return info


def generation_of(name):
    return next((info.generation for info in servers() if info.name == name), None)


def test_clients_that_wait_in_the_queue_of_a_socket_are_let_in(start, runtime, gate):
    """While a task runs the stand-in lets clients in, of the old socket and of the new one."""
    server = start(name="mine")
    client = connect("mine")
    client.initialize(dict, lambda *_: gate.enter(), lambda *_: None)
    client.execute({})
    gate.wait_entered()
    path = files_of(server)["sock"]
    stop, failed = threading.Event(), []

    def knock():
        while not stop.is_set():
            try:
                with connect("mine") as fresh:
                    assert fresh.status()["pid"] == server.pid
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        before = path.lstat().st_ino
        os.rename(path, path.with_name("away"))
        path.write_text("")
        until(lambda before=before: path.is_socket() and path.lstat().st_ino != before)
        path.with_name("away").unlink()
    stop.set()
    for thread in threads:
        thread.join()
    gate.open()
    assert failed == []


def test_what_the_server_has_written_stays(named, runtime):
    """A file that was merely touched, or looked at, is not written again."""
    server = named("mine")
    files = files_of(server)
    entry = files["json"]
    numbers = {what: path.lstat().st_ino for what, path in files.items()}
    os.utime(entry)
    files["sock"].lstat()
    shutil.copy(entry, runtime / "copy")
    # Two looks later, which a missing lock shows.
    for _ in range(2):
        (runtime / "mine.name").unlink()
        until((runtime / "mine.name").exists)
    assert {what: path.lstat().st_ino for what, path in files.items()} == numbers
    assert "replaced a foreign file" not in Path(server.log_file).read_text()


def test_a_client_says_what_stands_in_the_place_of_an_entry(named, runtime):
    server = named("mine")
    entry = files_of(server)["json"]
    os.kill(server.pid, 19)
    try:
        for kind in (garbage, a_directory, a_fifo, a_link_to_nothing):
            remove(entry) if entry.is_symlink() or entry.exists() else None
            entry.touch()
            kind(entry, None)
            with pytest.raises(BgpyError, match=r"the registry entry '.*\.json' is damaged"):
                connect("mine", timeout=5)
        assert servers() == []
    finally:
        os.kill(server.pid, 18)
    until(lambda: in_place("json", entry, server))
    assert Client("mine").call(1) == [server.pid, 1]


def test_the_files_of_others_are_not_entries(named, runtime):
    server = named("mine")
    entry = files_of(server)["json"]
    copy = runtime / "0123456789abcdef.json"
    shutil.copy(entry, copy)
    assert [info.name for info in servers()] == ["mine"]
    if os.geteuid() == 0:
        os.kill(server.pid, 19)
        try:
            os.chown(entry, 12345, 12345)
            assert servers() == []
        finally:
            os.kill(server.pid, 18)
        until(lambda: entry.lstat().st_uid == 0)
    assert [info.name for info in servers()] == ["mine"]
    copy.unlink()


def test_two_servers_of_one_process_keep_apart(start, runtime):
    first, second = start(name="first"), Server(name="second")
    second.run_background()
    paths = [files_of(server)["json"] for server in (first, second)]
    texts = [path.read_text() for path in paths]
    paths[0].write_text(texts[1])
    paths[1].write_text(texts[0])
    until(lambda: [path.read_text() for path in paths] == texts)
    second.stop(20)
