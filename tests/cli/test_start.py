"""`bgpy start`: a server with a name, in the background."""

from __future__ import annotations

import json
import os
import sys
from unittest.mock import ANY

import pytest
from support.processes import kill

from bgpy import Client, SerializationError, connect


def test_it_returns_when_the_server_is_ready(each_form, tasks):
    code, data, words = each_form.run("start", tasks)
    client = connect("camera")
    assert (code, data) == (0, "camera\n")
    pid = client.status()["pid"]
    assert words.startswith(f"Started 'camera' (process {pid}) at 127.0.0.1:")
    assert client.call(1) == {"calls": 1, "args": 1}
    assert os.getsid(pid) != os.getsid(0)


def test_a_module(commands, tasks):
    assert commands.run("start", "camera", "--name", "lens", cwd=tasks.parent)[0] == 0
    assert connect("lens").call(1)["calls"] == 1


def test_json(commands, tasks):
    code, data, _ = commands.run("start", tasks, "-o", "json")
    about = json.loads(data)
    assert code == 0
    assert (about["name"], about["state"]) == ("camera", "READY")
    assert about["pid"] == connect("camera").status()["pid"]
    assert "token" not in data


def test_what_the_server_is_given(commands, tasks, tmp_path, monkeypatch):
    monkeypatch.setenv("LIGHT", "dim")
    place = tmp_path / "place"
    place.mkdir()
    options = ["--env", "FILM=colour", "--env", "EMPTY=", "--cwd", place]
    assert commands.run("start", tasks, *options, "--python", sys.executable)[0] == 0
    client = connect("camera")
    for name, value in [("FILM", "colour"), ("EMPTY", ""), ("LIGHT", "dim"), ("NONE", None)]:
        assert client.call({"variable": name}) == value
    assert client.call("where") == str(place)


def test_the_address_and_the_token(commands, tasks, tmp_path, monkeypatch):
    token = tmp_path / "token"
    token.write_text("chosen by a person\n")
    assert commands.run("start", tasks, "--bind", "[::1]:0", "--token-file", token)[0] == 0
    port = int(commands.run("ps", "-o", "json")[1].partition('"[::1]:')[2].partition('"')[0])
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    Client("::1", port, token="chosen by a person").ping()
    assert commands.run("ping", f"[::1]:{port}")[0] == 5
    assert commands.run("ping", f"[::1]:{port}", "--token-file", token)[0] == 0


def test_a_name_that_is_taken(camera, tasks):
    pid = connect("camera").status()["pid"]
    code, data, words = camera.run("start", tasks)
    assert (code, data) == (1, "")
    assert "a server named 'camera' is already running" in words
    code, data, words = camera.run("start", tasks, "--exist-ok")
    assert (code, data) == (0, "camera\n")
    assert f"Found 'camera' (process {pid})" in words


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_ten_that_start_one_at_the_same_moment_two_hundred_times(commands, tasks):
    for _ in range(200):
        started = [commands.spawn("start", tasks, "--exist-ok") for _ in range(10)]
        said = [process.communicate(timeout=60)[1] for process in started]
        assert [process.returncode for process in started] == [0] * 10
        assert sum(words.startswith("Started") for words in said) == 1
        assert len({words.partition("process ")[2].partition(")")[0] for words in said}) == 1
        assert connect("camera").call(1)["calls"] == 1
        assert commands.run("stop", "camera")[0] == 0


def test_without_waiting(commands, tasks, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    tasks.write_text(f"open({str(gate)!r}).read()\n" + tasks.read_text())
    code, data, words = commands.run("start", tasks, "--no-wait")
    assert (code, data) == (0, "camera\n")
    assert words == "Starting 'camera'.\n"
    waiting = commands.spawn("wait", "camera", "--for", "ready")
    with gate.open("w"):
        assert "STARTING" in commands.run("status", "camera")[1]
    assert waiting.wait(30) == 0
    assert "READY" in commands.run("status", "camera")[1]


@pytest.mark.parametrize(
    ("text", "cause"),
    [("def init_task(:", "SyntaxError"), ("import nowhere", "nowhere"), ("", "init_task")],
    ids=["syntax", "import", "missing"],
)
def test_tasks_that_do_not_start(each_form, tasks, runtime, text, cause):
    tasks.write_text(text)
    code, data, words = each_form.run("start", tasks)
    assert (code, data) == (1, "")
    assert cause in words
    assert list(runtime.glob("*.json")) == []
    assert each_form.run("start", tasks, "--exist-ok") == (1, "", ANY)


def test_a_start_that_takes_too_long(commands, tasks):
    tasks.write_text("import threading\nthreading.Event().wait()")
    code, data, _ = commands.run("start", tasks, "--timeout", "0.3")
    assert (code, data) == (4, "")
    assert commands.run("ps")[1].splitlines()[1:] == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["missing.py"], "missing.py"),
        (["my tasks.py"], "my tasks.py"),
        (["camera.py", "--name", "a/b"], "a/b"),
        (["camera.py", "--name", "x" * 300], "xxx"),
        (["camera.py", "--bind", "127.0.0.1"], "127.0.0.1"),
        (["camera.py", "--env", "FILM"], "FILM"),
        (["camera.py", "--env", "=colour"], "=colour"),
        (["camera.py", "--token-file", "missing"], "missing"),
    ],
)
def test_arguments_that_make_no_sense(commands, tasks, arguments, named):
    code, data, words = commands.run("start", *arguments, cwd=tasks.parent)
    assert (code, data) == (2, "")
    assert named in words


def test_no_interpreter(commands, tasks, tmp_path):
    code, _, words = commands.run("start", tasks, "--python", tmp_path / "python")
    assert code == 1
    assert str(tmp_path / "python") in words


def test_a_restart_on_failure(each_form, tasks):
    assert each_form.run("start", tasks, "--restart", "on-failure:1")[0] == 0
    pid = connect("camera").status()["pid"]
    kill(pid)
    assert connect("camera").call(1, timeout=30)["calls"] == 1
    code, data, _ = each_form.run("status", "camera")
    assert code == 0
    assert "restarts  1 (on-failure:1)" in data
    about = json.loads(each_form.run("status", "camera", "-o", "json")[1])
    assert (about["generation"], about["restart"], about["state"]) == (1, "on-failure:1", "READY")
    assert (about["failures"], about["next_try"]) == (1, None)
    kill(about["pid"])
    assert connect("camera").call(1, timeout=30)["calls"] == 1
    _, data, _ = each_form.run("status", "camera")
    assert "restarts  2 (on-failure:1)" in data
    assert "signal 9 (SIGKILL)" in data


def test_a_restart_that_cannot_be(commands, tasks):
    code, _, words = commands.run("start", tasks, "--restart", "always")
    assert code == 2
    assert "on-failure:N" in words


class Unplain:
    pass


def test_options_of_what_is_taken_from_clients(commands, tasks):
    assert commands.run("start", tasks, "--no-pickle", "--max-message-bytes", "65536")[0] == 0
    client = connect("camera")
    assert client.call([1, "plain"])["args"] == [1, "plain"]
    with pytest.raises(SerializationError, match="allow_pickle=False"):
        client.call(Unplain())
    with pytest.raises(SerializationError, match="65536"):
        client.call(b"x" * 65536)


def test_the_last_word_on_pickles_counts(commands, tasks):
    options = ("--no-pickle", "--allow-pickle")
    assert commands.run("start", tasks, *options)[0] == 0
    assert connect("camera").call((1, 2))["args"] == (1, 2)
    assert connect("camera").call(Unplain)["args"] is not None


@pytest.mark.parametrize("limit", ["4095", "1099511627777", "-1", "many"])
def test_a_longest_message_that_makes_no_sense(commands, tasks, limit):
    code, data, words = commands.run("start", tasks, "--max-message-bytes", limit)
    assert (code, data) == (2, "")
    assert limit in words


def test_no_auth_is_loud_and_stays_on_loopback(commands, tasks):
    code, _, words = commands.run("start", tasks, "--no-auth")
    assert code == 0
    assert "no authentication" in words
    exposed = ("--no-auth", "--name", "n", "--bind", "0.0.0.0:0")
    code, _, words = commands.run("start", tasks, *exposed)
    assert code == 1
    assert "refused on 0.0.0.0" in words
    assert "warning" not in words


def test_a_directory_that_is_not_there_is_named(commands, tasks, tmp_path):
    for command in ("start", "run"):
        code, _, words = commands.run(command, tasks, "--cwd", tmp_path / "gone")
        assert code == 2
        assert f"'{tmp_path / 'gone'}'" in words


def test_a_search_path(commands, tasks, tmp_path):
    more = tmp_path / "more"
    more.mkdir()
    (more / "lens.py").write_text("focus = 35")
    tasks.write_text("import lens\n" + tasks.read_text())
    assert commands.run("start", tasks)[0] == 1
    code, _, words = commands.run("start", tasks, "--search-path", tmp_path / "mroe")
    assert code == 1
    assert f"warning: no such directory: '{tmp_path / 'mroe'}' (--search-path)" in words
    code, _, words = commands.run("start", tasks, "--search-path", more)
    assert code == 0
    assert "warning" not in words


def test_a_search_path_of_a_server_in_the_foreground(commands, tasks, tmp_path):
    more = tmp_path / "more"
    more.mkdir()
    (more / "lens.py").write_text("focus = 35")
    tasks.write_text("import lens\n" + tasks.read_text())
    process = commands.spawn("run", tasks, "--search-path", more)
    assert commands.run("wait", "camera", "--for", "ready", "--timeout", "30")[0] == 0
    assert commands.run("stop", "camera")[0] == 0
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_what_the_server_that_was_found_has_otherwise_is_said(camera, tasks):
    assert "warning" not in camera.run("start", tasks, "--exist-ok")[2]
    code, data, words = camera.run(
        "start", tasks, "--exist-ok", "--restart", "on-failure", "--idle-timeout", 60
    )
    assert (code, data) == (0, "camera\n")
    assert words.startswith(
        "warning: 'camera' already runs with other settings: its idle timeout is "
    )
    assert "its restart policy is never, not on-failure" in words
    assert "pass --replace instead of --exist-ok" in words
    tasks.write_text(tasks.read_text() + "\n")
    assert "camera.py' has changed since" in camera.run("start", tasks, "--exist-ok")[2]


def test_replace_ends_the_server_of_that_name(camera, tasks):
    client = connect("camera")
    before = client.status()["pid"]
    tasks.write_text(tasks.read_text().replace('"calls": 0', '"calls": 100'))
    code, data, words = camera.run("start", tasks, "--replace")
    assert (code, data) == (0, "camera\n")
    assert words.startswith("Started 'camera' ")
    assert client.call(1)["calls"] == 101
    assert client.status()["pid"] != before


def test_replace_says_what_it_waits_for(camera, tasks, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    connect("camera").execute({"open": str(pipe)})
    while connect("camera").status()["state"] != "BUSY":
        pass
    replacing = camera.spawn("start", tasks, "--replace")
    why = "its last task or exit_task is still running"
    assert replacing.stderr.readline() == f"Waiting for camera to end: {why}.\n"
    with pipe.open("w"):
        pass
    assert replacing.wait(30) == 0


def test_replace_needs_tasks_that_can_start(camera, tasks):
    before = connect("camera").status()["pid"]
    tasks.write_text("import no_such_module\n" + tasks.read_text())
    code, data, words = camera.run("start", tasks, "--replace")
    assert (code, data) == (1, "")
    assert "'camera' was not replaced: it is still running, because the new one cannot" in words
    assert "start: its interpreter" in words
    assert "no module named 'no_such_module'" in words
    assert connect("camera").status()["pid"] == before


@pytest.mark.parametrize("other", ["--exist-ok", "--no-wait"])
def test_replace_excludes(commands, tasks, other):
    code, _, words = commands.run("start", tasks, "--replace", other)
    assert code == 2
    assert "cannot be used with" in words
