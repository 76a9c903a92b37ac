"""`bgpy ping`: whether a server responds."""

from __future__ import annotations

import json
import os

from bgpy import connect


def test_it_lives(each_form, camera):
    code, data, words = each_form.run("ping", "camera")
    assert (code, words) == (0, "")
    assert data.startswith("camera lives: ")
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
