"""`bgpy ping`: whether a server responds."""

from __future__ import annotations

import json
import os

from bgpy import connect


def test_it_responds(each_form, camera):
    code, data, words = each_form.run("ping", "camera")
    assert (code, words) == (0, "")
    assert data.startswith("camera responded in ")
    assert json.loads(each_form.run("ping", "camera", "-o", "json")[1])["ms"] > 0


def test_also_while_a_task_runs(camera, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    connect("camera").execute({"open": str(pipe)})
    with pipe.open("w"):
        assert camera.run("ping", "camera")[0] == 0


def test_nobody(commands):
    code, data, words = commands.run("ping", "camera")
    assert (code, data) == (3, "")
    assert "no server named 'camera' runs here" in words


def test_something_else_listens_there(commands):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = commands.spawn("ping", f"127.0.0.1:{listener.getsockname()[1]}")
        with listener.accept()[0] as stream:
            stream.sendall(b"220 mail.example.org ESMTP\r\n")
            assert process.wait(30) == 6


def test_without_a_token_the_options_are_named(commands, tmp_path, monkeypatch):
    serving = commands.serve("--no-auth")
    monkeypatch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / "elsewhere"))
    target = f"127.0.0.1:{serving.port}"
    code, data, words = commands.run("ping", target)
    assert (code, data) == (5, "")
    assert "--token-file" in words
    assert "--no-auth" in words
    assert "auth=" not in words
    assert commands.run("ping", target, "--no-auth")[0] == 0


def test_none_that_is_known(commands):
    for command in ("status", "logs", "kill"):
        code, _, words = commands.run(command, "nobody")
        assert code == 3
        assert "named 'nobody'" in words


def test_a_wait_that_is_too_long(commands):
    code, _, words = commands.run("wait", "nobody", "--for", "ready", "--timeout", "0.1")
    assert code == 4
    assert words == "error: nobody was not ready within 0.1s\n"


def test_a_token_file_that_never_ends(commands):
    code, _, words = commands.run("ping", "127.0.0.1:1", "--token-file", "/dev/zero")
    assert code == 2
    assert "cannot be read from '/dev/zero': it is longer than 65536 bytes" in words
