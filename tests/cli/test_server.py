"""`bgpy server`: a server in the foreground."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bgpy import AuthError, Client, Server, respond, token_create

from .commands import HOST, LIMIT_S, Serving

TASKS = """\
from bgpy import respond

def init_task():
    return {"calls": 0}

def exec_task(client_socket, state, args):
    state["calls"] += 1
    print("call", state["calls"], flush=True)
    respond(client_socket, state["calls"])

def exit_task(client_socket, state, args):
    print("leaving", flush=True)
    respond(client_socket, state)
"""


@pytest.fixture
def tasks(tmp_path):
    path = tmp_path / "tasks.py"
    path.write_text(TASKS)
    return path


def test_it_serves_until_a_client_terminates_it(each_form):
    serving = each_form.serve()
    client = Client(HOST, serving.port)
    assert client.status()["pid"] == serving.process.pid
    client.initialize(dict, lambda caller, state, args: respond(caller, args), lambda *_: None)
    assert client.call("here") == "here"
    assert serving.process.poll() is None
    client.terminate()
    code, data, words = serving.end()
    assert (code, data) == (0, "")
    assert words.splitlines()[-1].endswith("ended")


SPAWNING = """
import multiprocessing, sys
from bgpy import Client

def double(number):
    return 2 * number

def exec_task(client_socket, state, args):
    with multiprocessing.get_context(args).Pool(1) as pool:
        client_socket.respond(pool.map(double, range(3)))

if __name__ == "__main__":
    client = Client("127.0.0.1", int(sys.argv[1]))
    client.initialize(dict, exec_task, print)
    print(client.call("spawn"), client.call("forkserver"))
    client.terminate()
"""


def test_processes_that_tasks_spawn_find_the_script_of_the_tasks(each_form, tmp_path):
    script = tmp_path / "spawning.py"
    script.write_text(SPAWNING)
    serving = each_form.serve()
    words = [sys.executable, script, str(serving.port)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=LIMIT_S)
    assert done.stdout == "[0, 2, 4] [0, 2, 4]\n"
    assert serving.end()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(each_form, tasks, number):
    serving = each_form.serve("--init-file", tasks)
    Client(HOST, serving.port).call({})
    serving.process.send_signal(number)
    code, data, _ = serving.end()
    assert (code, data) == (0, "call 1\nleaving\n")


def test_it_stays_in_the_session_of_its_terminal(commands):
    assert os.getsid(commands.serve().process.pid) == os.getsid(0)


@pytest.mark.parametrize("option", ["-i", "--init-file"])
def test_tasks_from_a_file(commands, tasks, option):
    serving = commands.serve(option, tasks)
    client = Client(HOST, serving.port)
    assert [client.call({}) for _ in range(3)] == [1, 2, 3]
    assert client.terminate(await_response=True) == {"calls": 3}
    assert serving.end()[:2] == (0, "call 1\ncall 2\ncall 3\nleaving\n")


def test_a_file_name_is_relative_to_the_directory(commands, tasks):
    serving = commands.serve("-i", tasks.name, cwd=tasks.parent)
    assert Client(HOST, serving.port).call({}) == 1


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("def init_task(:", "SyntaxError"),
        ("def init_task(): return {}", "exec_task"),
        (TASKS.replace('return {"calls": 0}', "raise OSError('no film')"), "no film"),
        (TASKS.replace('return {"calls": 0}', "return 5"), "dict"),
    ],
    ids=["syntax", "missing", "raises", "no-dict"],
)
def test_tasks_that_do_not_start(commands, tasks, runtime, text, cause):
    tasks.write_text(text)
    code, data, words = commands.run("server", HOST, 0, "-i", tasks)
    assert (code, data) == (1, "")
    assert "error: the tasks" in words
    assert str(tasks) in words
    assert cause in words
    assert list(runtime.glob("*.json")) == []


def test_a_file_that_does_not_exist(commands, tmp_path):
    code, _, words = commands.run("server", HOST, 0, "-i", tmp_path / "missing.py")
    assert code in (1, 2)
    assert "missing.py" in words


def test_a_failing_exit_task_is_seen_in_the_code(commands, tasks):
    tasks.write_text(TASKS.replace('print("leaving", flush=True)', "raise OSError('disk full')"))
    serving = commands.serve("-i", tasks)
    serving.process.terminate()
    code, _, words = serving.end()
    assert code == 1
    assert "disk full" in words


def test_a_busy_port(each_form):
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        code, data, words = each_form.run("server", HOST, port)
    assert (code, data) == (1, "")
    assert f"error: {HOST}:{port} is in use" in words


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([HOST], "<PORT>"),
        ([HOST, "port"], "port"),
        ([HOST, 65536], "65536"),
        ([HOST, 1, "--log-level", "LOUD"], "LOUD"),
        ([HOST, 1, "--loud"], "--loud"),
        (["", 1], "HOST"),
        ([HOST, 1, "--token", "--no-auth"], "--no-auth"),
        (["0.0.0.0", 0, "--no-auth"], "without authentication"),
    ],
    ids=["no-port", "no-number", "high", "level", "option", "no-host", "conflict", "exposed"],
)
def test_arguments_that_cannot_be(commands, arguments, named):
    code, data, words = commands.run("server", *arguments)
    assert (code, data) == (2, "")
    assert named in words


def test_a_host_that_does_not_exist(commands):
    code, _, words = commands.run("server", "no-such-host.invalid", 0)
    assert code == 1
    assert "no-such-host.invalid" in words


def test_a_log_file(commands, tmp_path):
    log = tmp_path / "server.log"
    log.write_text("what happened before\n")
    process = commands.spawn("server", HOST, 0, "--log-file", log, "--log-level", "debug")
    while "listens on" not in (text := log.read_text()):
        assert process.poll() is None
    port = int(text.partition("listens on")[2].split()[0].rpartition(":")[2])
    Client(HOST, port).terminate()
    assert process.communicate(timeout=LIMIT_S) == ("", "")
    assert process.returncode == 0
    text = log.read_text()
    assert text.startswith("what happened before\n")
    assert "DEBUG" in text


def test_a_log_file_that_cannot_be_written(commands, tmp_path):
    path = tmp_path / "missing" / "server.log"
    code, _, words = commands.run("server", HOST, 0, "-f", path)
    assert code == 1
    assert str(path) in words


def test_the_log_level(commands, tasks, gate):
    tasks.write_text(f"from pathlib import Path\n{TASKS}\nPath({gate.coming!r}).write_text('.')\n")
    process = commands.spawn("server", HOST, 0, "--init-file", tasks, "--log-level", "ERROR")
    gate.wait_entered()
    process.send_signal(signal.SIGTERM)
    code, data, words = process.wait(LIMIT_S), process.stdout.read(), process.stderr.read()
    assert (code, data, words) == (0, "leaving\n", "")


def test_the_token_of_the_environment(commands, tmp_path, monkeypatch):
    token = token_create()
    monkeypatch.setenv("BGPY_TOKEN", token)
    serving = commands.serve()
    monkeypatch.delenv("BGPY_TOKEN")
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    Client(HOST, serving.port, token=token).ping()
    with pytest.raises(AuthError):
        Client(HOST, serving.port).ping()


@pytest.mark.parametrize("option", ["-t", "--token"])
def test_the_token_from_a_pipe(commands, option, tmp_path, monkeypatch):
    token = token_create()
    process = commands.spawn("server", HOST, 0, option)
    process.stdin.write(f"{token}\n")
    process.stdin.flush()
    serving = Serving(process)
    assert token not in serving.words
    assert token not in Path(f"/proc/{process.pid}/cmdline").read_text()
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    Client(HOST, serving.port, token=token).ping()
    with pytest.raises(AuthError):
        Client(HOST, serving.port, token="guessed").ping()


def test_the_token_is_typed_unseen(each_form, tmp_path, monkeypatch):
    process, terminal = each_form.on_terminal("server", HOST, 0, "--token")
    with os.fdopen(terminal, "rb+", buffering=0) as screen:
        shown = b""
        while not shown.endswith(b"Token: "):
            shown += screen.read(1)
        screen.write(b"typed by a person\n")
        serving = Serving(process)
        monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
        Client(HOST, serving.port, token="typed by a person").terminate()
        assert serving.end()[:2] == (0, "")
        os.set_blocking(screen.fileno(), False)
        # The terminal may have no other side any more.
        with contextlib.suppress(OSError):
            shown += screen.read(1000) or b""
    assert b"typed" not in shown


def test_ctrl_c_at_the_prompt(each_form):
    process, terminal = each_form.on_terminal("server", HOST, 0, "--token")
    with os.fdopen(terminal, "rb+", buffering=0) as screen:
        shown = b""
        while not shown.endswith(b"Token: "):
            shown += screen.read(1)
        screen.write(b"\x03")
        data, words = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, data) == (130, "")
    assert "Traceback" not in words


def test_an_empty_token_is_refused(commands):
    code, data, words = commands.run("server", HOST, 0, "--token", given="\n")
    assert (code, data) == (2, "")
    assert "the token is empty" in words


def test_a_token_is_no_argument(commands):
    code, data, words = commands.run("server", HOST, 0, "--token=s3cret")
    assert (code, data) == (2, "")
    assert "s3cret" not in words


def test_a_weak_token_is_refused_where_others_reach_the_server(commands):
    code, _, words = commands.run("server", "0.0.0.0", 0, "--token", given="hunter2\n")
    assert code == 2
    assert "can be guessed" in words
    assert "hunter2" not in words
    process = commands.spawn("server", "0.0.0.0", 0, "--token", "--allow-weak-token")
    process.stdin.write("hunter2\n")
    process.stdin.flush()
    Client(HOST, Serving(process).port, token="hunter2").ping()


def test_no_authentication_is_loud(commands, tmp_path, monkeypatch):
    serving = commands.serve("--no-auth")
    assert "warning: no authentication" in serving.words
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    Client(HOST, serving.port, auth=False).ping()


def test_a_reader_that_has_gone_does_not_disturb_the_server(commands, tasks):
    serving = commands.serve("-i", tasks, "-l", "debug")
    serving.process.stderr.close()
    serving.process.stderr = None
    client = Client(HOST, serving.port)
    assert [client.call({}) for _ in range(10)] == list(range(1, 11))
    client.terminate()
    assert serving.process.wait(LIMIT_S) == 0


def test_a_server_object_finds_it(commands):
    serving = commands.serve()
    server = Server(HOST, serving.port)
    assert server.is_alive()
    server.stop()
    assert serving.end()[0] == 0
