"""`bgpy systemd`: a unit that works, as far as can be seen without systemd."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess

import pytest

from bgpy import Server, connect, start, token_create


class Unit(dict):
    """The settings of a unit as systemd.syntax(7) and systemd.service(5) have them read."""

    def __init__(self, text):
        super().__init__()
        assert "\\\n" not in text, "a line that goes on in the next one"
        for line in text.splitlines():
            if line and not line.startswith("["):
                name, value = line.split("=", 1)
                self.setdefault(name, []).append(value.strip())

    def command(self):
        (line,) = self["ExecStart"]
        first, *rest = words(line)
        return [
            first.replace("%%", "%"),
            *(word.replace("%%", "%").replace("$$", "$") for word in rest),
        ]

    def directory(self):
        (path,) = self["WorkingDirectory"]
        return path.replace("%%", "%")

    def environment(self):
        pairs = [words(line.replace("%%", "%")) for line in self.get("Environment", [])]
        return dict(pair.split("=", 1) for (pair,) in pairs)


def words(line):
    """Split a line as systemd does: quotes around words, and escapes of C in them."""
    found, rest = [], line
    while rest:
        if rest[0] == '"':
            end, word = 1, ""
            while rest[end] != '"':
                if rest[end] == "\\":
                    end += 1
                    assert rest[end] in '"\\'
                word += rest[end]
                end += 1
            end += 1
        else:
            end = rest.find(" ") if " " in rest else len(rest)
            word = rest[:end]
            assert not set(word) & set("\"'\\;"), word
        found.append(word)
        assert rest[end : end + 1] in ("", " ")
        rest = rest[end:].lstrip()
    return found


def test_what_the_unit_starts_tells_when_it_is_ready(each_form, camera, tmp_path):
    code, unit, words = each_form.run("systemd", "camera")
    assert (code, words) == (0, "")
    settings = Unit(unit)
    assert (settings["Type"], settings["Restart"]) == (["notify"], ["on-failure"])
    assert each_form.run("stop", "camera")[0] == 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        commands, commands.form = each_form, settings.command()
        process = commands.spawn(env={"NOTIFY_SOCKET": manager.getsockname(), **environment()})
        assert manager.recv(100) == b"READY=1"
        client = connect("camera")
        assert client.status()["state"] == "READY"
        assert client.status()["pid"] == process.pid
        process.terminate()
        assert manager.recv(100) == b"STOPPING=1"
        assert process.wait(30) == 0


def environment():
    return {name: os.environ[name] for name in ("BGPY_RUNTIME_DIR", "PATH")}


def test_one_whose_tasks_came_from_a_client(commands):
    server = start((dict, print, print), "camera")
    code, data, words = commands.run("systemd", "camera")
    assert (code, data) == (1, "")
    assert "from a file or module" in words
    server.stop()


@pytest.mark.parametrize("target", ["nobody", "127.0.0.1:1"])
def test_nobody(commands, target):
    assert commands.run("systemd", target)[:2] == (3, "")


def test_a_port_that_was_not_chosen_stays_so(commands, tasks):
    def bind():
        command = Unit(commands.run("systemd", "camera")[1]).command()
        return command[command.index("--bind") + 1]

    assert commands.run("start", tasks, "--restart", "on-failure")[0] == 0
    assert bind() == "127.0.0.1:0"
    assert commands.run("restart", "camera")[0] == 0
    assert bind() == "127.0.0.1:0"


@pytest.mark.parametrize("restart", ["never", "on-failure"])
def test_a_server_that_watches_its_files_goes_on_to(commands, tasks, restart):
    assert commands.run("start", tasks, "--watch", "--restart", restart)[0] == 0
    command = Unit(commands.run("systemd", "camera")[1]).command()
    assert "--watch" in command
    # `bgpy run` refuses both.
    assert "--restart" not in command


ODD = '50% $HOME ${HOME} it\'s "so" back\\slash ; # é'


def test_every_setting_is_in_the_unit(commands, tasks, tmp_path):
    place = tmp_path / ODD.replace("/", "")
    place.mkdir()
    file = place / "camera.py"
    file.write_text(tasks.read_text())
    token = place / "token"
    token.write_text(token_create())
    options = {
        "allow_pickle": False,
        "max_message_bytes": 65536,
        "log_level": "DEBUG",
        "log_file": place / "log",
        "idle_timeout": 3600,
        "threads": 3,
        "restart": "on-failure:3",
    }
    server = Server("localhost", name="camera", init_file=file, token=token.read_text(), **options)
    server.run_background(cwd=place, env={"ODD": ODD, "EMPTY": ""})
    code, data, words = commands.run("systemd", "camera")
    assert (code, data) == (1, "")
    assert "--token-file" in words
    code, text, words = commands.run("systemd", "camera", "--token-file", token)
    assert (code, words) == (0, "")
    assert token.read_text() not in text
    if analyze := shutil.which("systemd-analyze"):
        file = tmp_path / "bgpy-camera.service"
        file.write_text(text)
        judged = subprocess.run([analyze, "verify", file], capture_output=True, text=True)
        assert (judged.returncode, judged.stderr) == (0, "")
    unit = Unit(text)
    assert unit.directory() == str(place)
    assert unit.environment() == {"ODD": ODD, "EMPTY": ""}
    server.stop(timeout=30)
    before = config_of(server)
    commands.form = unit.command()
    process = commands.spawn(cwd=unit.directory(), env={**environment(), **unit.environment()})
    assert "listens" in (place / "log").read_text() or process.poll() is None
    client = until_ready(token.read_text())
    assert client.call("where") == str(place)
    assert client.call({"variable": "ODD"}) == ODD
    (entry,) = (json.loads(path.read_text()) for path in runtime_directory().glob("*.json"))
    after = entry["config"]
    for name in before.keys() - {"launch", "instance", "port", "inheritance"}:
        assert after[name] == before[name], name
    process.terminate()
    assert process.wait(30) == 0


def runtime_directory():
    from pathlib import Path

    return Path(os.environ["BGPY_RUNTIME_DIR"])


def config_of(server):
    (path,) = runtime_directory().glob("ended/*.json")
    return json.loads(path.read_text())["config"]


def until_ready(token):
    from subprocess import run

    from .commands import CONSOLE

    run([*CONSOLE, "wait", "camera", "--for", "ready", "--timeout", "30"], check=True)
    return connect("camera", token=token)


@pytest.mark.parametrize("name", ["new\nline", "tab\there", "bell\a", "end\\", "blank "])
def test_a_directory_that_systemd_would_read_otherwise(commands, tasks, tmp_path, name):
    place = tmp_path / name
    place.mkdir()
    assert commands.run("start", tasks, "--cwd", place)[0] == 0
    code, data, words = commands.run("systemd", "camera")
    assert (code, data) == (1, "")
    assert "the working directory cannot be written" in words
    assert words.count("\n") == 1


@pytest.mark.parametrize("variable", ["A=b\nExecStartPre=/bin/false", "A\n=b", "1A=b", "A-B=c"])
def test_a_variable_that_systemd_would_read_otherwise(commands, tasks, variable):
    assert commands.run("start", tasks, "--env", variable)[0] == 0
    code, data, _ = commands.run("systemd", "camera")
    assert (code, data) == (1, "")


def test_a_file_whose_name_has_a_newline(commands, tasks):
    odd = tasks.rename(tasks.with_name("a\nb.py"))
    assert commands.run("start", odd, "--name", "camera")[0] == 0
    assert commands.run("systemd", "camera")[:2] == (1, "")


def test_one_that_has_ended_with_its_variables(commands, tasks):
    assert commands.run("start", tasks, "--env", "KEY=secret")[0] == 0
    assert "KEY=secret" in commands.run("systemd", "camera")[1]
    assert commands.run("stop", "camera")[0] == 0
    code, data, words = commands.run("systemd", "camera")
    assert (code, data) == (1, "")
    assert "KEY" in words
