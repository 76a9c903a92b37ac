"""What the command says of what went wrong, and what to do then."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import suppress

import pytest

from bgpy import AddressInUse, Server, connect

from .commands import HOST, LIMIT_S

with suppress(ImportError):  # Windows has no such limits.
    import resource


def test_a_process_that_stands_still_is_named(camera):
    pid = connect("camera").status()["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        code, _, words = camera.run("call", "camera", 1, "--timeout", 0.5)
        assert code == 4
        assert f"its process {pid} exists" in words
        assert "firewall" not in words
        words = camera.run("ps", "--timeout", 0.5)[2]
        assert f"camera (process {pid}) is STALE: process {pid} is there, but did not" in words
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("name", ["owner", None])
def test_ones_own_server_at_the_port_is_named(commands, tasks, name):
    first = Server(HOST, name=name, init_file=tasks)
    first.run_background()
    server = name or f"{HOST}:{first.port}"
    expected = f"your server '{server}' (process {first.pid}) listens there"
    with pytest.raises(AddressInUse) as caught:
        Server(HOST, first.port).run_background()
    assert expected in str(caught.value)
    for command in (("run", tasks, "--bind", f"{HOST}:{first.port}"), ("server", HOST, first.port)):
        code, _, words = commands.run(*command)
        assert code == 1
        assert expected in words
        assert f"`bgpy stop {server}`" in words
    assert commands.run("stop", "--all")[2] == f"Stopped {server}.\n"


def test_another_program_at_the_port(commands):
    with socket.create_server((HOST, 0)) as other:

        def answer():
            with other.accept()[0] as peer:
                peer.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                peer.recv(1 << 12)

        thread = threading.Thread(target=answer)
        thread.start()
        code, _, words = commands.run("call", f"{HOST}:{other.getsockname()[1]}", 1)
        thread.join(LIMIT_S)
    assert code == 6
    assert "another program listens there; check host and port" in words


def test_terminate_names_its_own_option(commands, start, monkeypatch, tmp_path):
    server = start()
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    code, _, words = commands.run("terminate", HOST, server.port)
    assert code == 5
    assert "pass --token or" in words
    code, _, words = commands.run("call", f"{HOST}:{server.port}", 1)
    assert code == 5
    assert "pass --token-file or" in words
    assert "token=" not in words


def test_options_are_named_and_no_arguments_of_python(camera, tasks, tmp_path):
    words = camera.run("call", "camera", '"tuple"', "--no-pickle")[2]
    assert "allow_pickle" not in words
    words = camera.run("call", "camera", '"array"', "--no-pickle")[2].splitlines()[-1]
    assert "(--no-pickle)" in words
    code, _, words = camera.run("start", tasks, "--restart", "always")
    assert code == 2
    assert "restart=" not in words
    weak = tmp_path / "token"
    weak.write_text("weak\n")
    options = ("--name", "weak", "--bind", "0.0.0.0:0", "--token-file", weak)
    words = camera.run("start", tasks, *options)[2]
    assert "--allow-weak-token" in words


def test_tasks_that_are_no_python_file(commands, tmp_path):
    (tmp_path / "chat.txt").write_text("")
    code, _, words = commands.run("start", "chat.txt", cwd=tmp_path)
    assert code == 2
    assert "write './chat.txt'" in words
    code, _, words = commands.run("run", tmp_path)
    assert code == 2
    assert "is a directory" in words


def test_nested_json(camera):
    assert camera.run("call", "camera", "[" * 127 + "]" * 127)[0] == 0
    for deep in ("[" * 128 + "]" * 128, '{"a":' * 300 + "1" + "}" * 300):
        code, _, words = camera.run("call", "camera", deep)
        assert code == 2
        assert words == "error: the JSON has lists and objects nested more than 127 deep\n"


def test_a_server_that_was_not_ready_in_time_was_ended_for_that(commands, tmp_path):
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\n\ndef init_task():\n    time.sleep(600)\n\nexec_task = exit_task = print\n"
    )
    for options in ((), ("--restart", "on-failure")):
        assert commands.run("start", slow, "--timeout", 1, *options)[0] == 4
        code, data, _ = commands.run("status", "slow")
        assert code == 3
        assert "not ready within 1s: ended by its starter" in data


def test_a_reason_has_a_process_and_a_line(commands, tasks):
    tasks.write_text(tasks.read_text() + "\ndef exit_task(*_):\n    raise ValueError('a\\nb')\n")
    commands.run("start", tasks)
    pid = connect("camera").status()["pid"]
    assert commands.run("stop", "camera")[0] == 1
    words = commands.run("ps", "-a")[2]
    assert f"camera (process {pid}) is FAILED: " in words
    assert len(words.splitlines()) == 1


def test_a_name_that_never_was_has_not_ended(camera):
    code, _, words = camera.run("wait", "never-was", "--for", "exit")
    assert code == 3
    assert "no server named 'never-was'" in words
    camera.run("stop", "camera")
    assert camera.run("wait", "camera", "--for", "exit")[0] == 0


def test_an_interpreter_without_bgpy(commands, tasks, tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    bare.chmod(0o700)
    code, _, words = commands.run("start", tasks, "--python", bare)
    assert code == 1
    assert "its interpreter cannot import bgpy" in words
    assert "pip install bgpy==" in words


def test_a_first_ctrl_c_says_what_it_waits_for(commands, tasks, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = commands.spawn("run", tasks)
    assert commands.run("wait", "camera", "--for", "ready", "--timeout", LIMIT_S)[0] == 0
    client = connect("camera")
    client.execute({"open": str(pipe)})
    while client.status()["state"] != "BUSY":
        pass
    process.send_signal(signal.SIGINT)
    words = ""
    while "stop requested" not in words:
        words += process.stderr.readline()
    assert words.endswith(
        "waiting for the running task, which a second signal or Ctrl-C interrupts\n"
    )
    # Python is still in the handler of the first one.
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize("count", range(9, 20))
def test_few_descriptors_are_no_panic(commands, tasks, count):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))

    process = commands.spawn("start", tasks, "--timeout", LIMIT_S, preexec_fn=limit)
    _, words = process.communicate(timeout=LIMIT_S)
    assert "panicked" not in words
    assert "unwrap" not in words


@pytest.mark.parametrize("count", range(4, 10))
@pytest.mark.parametrize("command", ["ps", "stop", "kill", "status", "logs", "call"])
def test_few_descriptors_are_no_missing_server(commands, tasks, command, count):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))

    assert commands.run("start", tasks, "--name", "n")[0] == 0
    words = {"ps": ["ps"], "call": ["call", "n", "1"]}.get(command, [command, "n"])
    code, data, told = commands.run(*words, preexec_fn=limit)
    assert code != 3
    assert "no server" not in told
    assert "panicked" not in told
    if command == "ps" and code == 0:
        assert data.splitlines()[1].split()[0] == "n"
    elif command != "stop" and code != 0:
        assert "open files" in told
