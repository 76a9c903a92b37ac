"""A directory in which others may write tells of no server, and everybody says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.processes import IS_ROOT

from bgpy import BgpyError, Client, ConfigError, ConnectError, connect, servers, start

OTHER = 12345
TOKEN = "a token of the tests that is long enough"

as_root = pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")


def open_to(mode):
    return lambda path: path.chmod(mode)


def give_away(path):
    os.chown(path, OTHER, OTHER)


def put_right(path):
    os.chown(path, os.geteuid(), os.getegid())
    path.chmod(0o700)


DOUBTS = {
    "all": (open_to(0o777), "other users may enter it (chmod 700 it)"),
    "sticky": (open_to(0o1777), "other users may enter it (chmod 700 it)"),
    "group": (open_to(0o770), "other users may enter it (chmod 700 it)"),
    "readers": (open_to(0o755), "other users may enter it (chmod 700 it)"),
    "given": (give_away, f"another user owns it (id {OTHER})"),
}
COMMANDS = [
    ["ps"],
    ["ps", "-a", "-o", "json"],
    ["status", "camera"],
    ["call", "camera", "1"],
    ["ping", "camera"],
    ["logs", "camera"],
    ["stop", "camera"],
    ["stop", "--all"],
    ["kill", "camera"],
    ["restart", "camera"],
    ["wait", "camera", "--for", "ready", "--timeout", "5"],
    ["wait", "camera", "--for", "exit", "--timeout", "5"],
]


@pytest.fixture
def camera(tasks):
    server = start(tasks, "camera", token=TOKEN)
    yield server
    server.stop(20)


@pytest.fixture(params=DOUBTS)
def doubt(request, camera, runtime):
    """Make the directory one that is not believed; return why it is not."""
    if request.param == "given" and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    spoil, words = DOUBTS[request.param]
    old = connect("camera")
    assert old.call(1)["args"] == 1
    spoil(runtime)
    yield words
    assert old.call(2)["args"] == 2
    put_right(runtime)
    assert connect("camera").call(3)["args"] == 3
    old.close()


def test_nothing_in_it_is_believed(commands, camera, doubt, runtime):
    address = f"127.0.0.1:{camera.port}"
    (socket,) = runtime.glob("*.sock")
    for target in ("camera", address, str(socket)):
        with pytest.raises(ConnectError) as raised:
            connect(target, timeout=5)
        assert f"the registry '{runtime}' cannot be trusted" in str(raised.value)
        assert doubt in str(raised.value)
    with pytest.raises(ConfigError) as listed:
        servers()
    assert doubt in str(listed.value)
    with pytest.raises(BgpyError) as started:
        start(Path(__file__), "other", exist_ok=True)
    assert doubt in str(started.value)
    # Whoever has the token needs no directory.
    with Client("127.0.0.1", camera.port, token=TOKEN) as client:
        assert client.call(4)["args"] == 4


def test_commands_say_so(commands, camera, doubt, runtime):
    for words in COMMANDS:
        code, data, told = commands.run(*words)
        assert (code, data) == (1, ""), words
        assert f"'{runtime}'" in told, words
        assert doubt in told, words
    code, data, _ = commands.run("doctor")
    assert code == 1
    assert f"'{runtime}'" in data
    assert ("chmod 700" in data) == ("chmod 700" in doubt)


@as_root
@pytest.mark.parametrize("link", [False, True])
def test_an_entry_of_another_user_is_none(commands, camera, runtime, link, tmp_path):
    """Whoever got one into the directory: it would say where to send calls, and with what token."""
    (entry,) = runtime.glob("*.json")
    foreign = runtime / "0123456789abcdef.json"
    text = entry.read_text().replace(entry.stem, foreign.stem).replace('"camera"', '"lens"')
    place = tmp_path / "elsewhere" if link else foreign
    place.write_text(text)
    os.chown(place, OTHER, OTHER)
    if link:
        foreign.symlink_to(place)
    with pytest.raises(BgpyError, match=r"no server named 'lens' .*0123456789abcdef\.json"):
        connect("lens")
    assert [info.name for info in servers(ended=True)] == ["camera"]
    assert connect("camera").call(1)["args"] == 1
    told = "is a symbolic link" if link else f"belongs to another user (id {OTHER})"
    assert told in commands.run("doctor")[1]
    foreign.unlink()
