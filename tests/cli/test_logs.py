"""`bgpy logs`: what a server has logged."""

from __future__ import annotations

import pytest

from bgpy import connect


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
