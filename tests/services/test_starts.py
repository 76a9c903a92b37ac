"""Where an object comes from, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

import bgpy

FILE = '''
import os
import pathlib

class Store:
    """Keeps."""

    def __init__(self, place: str = "here", size: int = 1) -> None:
        self.place, self.size = place, size

    def __enter__(self):
        self.entered = True
        return self

    def __exit__(self, *exception):
        if "LEFT" in os.environ:
            pathlib.Path(os.environ["LEFT"]).write_text("left")

    def about(self) -> list:
        return [self.place, self.size, self.entered]

def make():
    return Store("made")

nothing = 3
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "store.py"
    path.write_text(FILE)
    return path


def test_a_class_in_a_file(host, file, tmp_path):
    server = host(f"{file}:Store", env={"LEFT": str(tmp_path / "left")})
    assert server.name == "store"
    store = bgpy.connect("store").service()
    assert store.about() == ["here", 1, True]
    server.stop()
    assert (tmp_path / "left").read_text() == "left"


def test_a_function_in_a_file(host, file):
    assert bgpy.connect(host(f"{file}:make")).service().about() == ["made", 1, True]


def test_a_class_in_a_module(host, file, monkeypatch):
    monkeypatch.syspath_prepend(str(file.parent))
    assert bgpy.connect(host("store:Store")).service().about() == ["here", 1, True]
    sys.modules.pop("store", None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Missing", "defines no Missing"),
        ("nothing", "must be a class or a function, not int"),
    ],
)
def test_what_makes_no_object(host, file, name, text):
    with pytest.raises(bgpy.StartError, match=text):
        host(f"{file}:{name}")


class Raises:
    def __init__(self):
        raise OSError("no camera")


def test_an_init_that_raises(host):
    with pytest.raises(bgpy.RemoteError, match="no camera"):
        host(Raises)
    assert bgpy.servers() == []


def test_methods_that_are_asked_for_during_the_start(tmp_path, runtime):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = tmp_path / "slow.py"
    path.write_text(
        f"open({str(pipe)!r}).read()\n\nclass Slow:\n    def run(self):\n        return 1\n"
    )
    command = [sys.executable, "-P", "-m", "bgpy", "run", f"{path}:Slow", "--name", "slow"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            while "taking Slow from" not in process.stderr.readline():
                assert process.poll() is None
            with ThreadPoolExecutor() as threads, bgpy.Client("slow") as client:
                proxy = threads.submit(client.service)
                # Answered on the same connection, behind the question for the methods.
                while client.status()["state"] == "STARTING" and not proxy.running():
                    pass
                client.ping()
                pipe.write_text("")
                assert proxy.result(30).run() == 1
        finally:
            process.terminate()
            process.communicate()


def test_a_restarted_server_makes_the_object_again(host):
    class Fragile:
        def __init__(self):
            self.value = 0

        def increase(self):
            self.value += 1
            return self.value

        def crash(self):
            import os

            os._exit(3)

    fragile = bgpy.connect(host(Fragile, "fragile", restart="on-failure"), Fragile)
    assert fragile.increase() == 1
    with pytest.raises(bgpy.ConnectionLost):
        fragile.crash()
    assert fragile.increase() == 1


class Old:
    def increase(self, by=1):
        return by

    def gone(self):
        return 1


def test_a_class_that_does_not_fit_is_told(host):
    class New:
        def increase(self, by=1, *, twice):
            return by

        def added(self):
            return 2

    server = host(Old)
    with pytest.warns(RuntimeWarning, match="has no added") as told:
        new = bgpy.connect(server, New)
    assert "its increase has other parameters" in str(told[0].message)
    assert told[0].filename == __file__
    with pytest.raises(AttributeError, match="no method or property 'added' as yours has"):
        new.added()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bgpy.connect(server, Old)


class Plain:
    pass


@pytest.mark.parametrize("begin", [bgpy.start, bgpy.serve])
@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Plain(), "not an object of Plain"),
        (3, "not an object of int"),
        (None, "not None"),
        ([print, print], "not an object of list"),
    ],
)
def test_what_is_no_class(runtime, begin, given, text):
    with pytest.raises(TypeError, match=text):
        begin(given)
    assert bgpy.servers() == []
