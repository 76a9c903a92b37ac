"""A tasks file is a module, whatever its name, in its server and in spawned processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.scripts import Scripts

import bgpy
from bgpy import Client

HOST = "127.0.0.1"
TASKS = """
import concurrent.futures, multiprocessing, os, sys
import beside

WHERE = {where!r}

class Model:
    def __init__(self, number=3):
        self.number = number

    def twice(self, other):
        return Model(self.number * 2 + other.number)

def helper(model):
    return type(model) is Model, model.twice(Model(1)), WHERE, beside.WHERE

def kind(cls):
    return cls, helper

def put(place, cls):
    place.put(helper(cls()))

def told(found):
    is_own, model, *where = found
    return is_own, type(model) is Model, model.number, *where

def init_task():
    return {{}}

def exec_task(client_socket, state, args):
    if args == "names":
        client_socket.respond((Model.__module__, sys.path.index(os.path.dirname(__file__))))
        return
    if args == "model":
        client_socket.respond(Model())
        return
    if isinstance(args, Model):
        client_socket.respond(args.twice(args))
        return
    context = multiprocessing.get_context(args)
    with context.Pool(1) as pool:
        found = [pool.map_async(helper, [Model()]).get(timeout=60)[0]]
        assert pool.apply_async(kind, [Model]).get(timeout=60) == (Model, helper)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        found.append(pool.submit(helper, Model()).result(timeout=60))
        assert pool.submit(kind, Model).result(timeout=60) == (Model, helper)
    place = context.Queue()
    process = context.Process(target=put, args=(place, Model))
    process.start()
    found.append(place.get(timeout=60))
    process.join()
    answer, = set(map(told, found))
    client_socket.respond(answer)

def exit_task(client_socket, state, args):
    pass
"""
STARTING = """
import sys, bgpy
{imports}
for file in sys.argv[1:]:
    server = bgpy.Server("127.0.0.1", 0, init_file=file)
    server.run_background()
    print(server.port)
"""
METHODS = ["spawn", "forkserver"]
# Names of a module that is built in, of a few that workers import themselves, of an installed
# package; names that no statement can import, and one that is free.
NAMES = ["time.py", "queue.py", "email.py", "numpy.py", "my-tasks.py", "my tasks.py", "a.b.py"]
NAMES += ["tasks.txt", "__main__.py", "app.py"]


def write(directory: Path, name: str, where: str) -> Path:
    """Write a tasks file, and a module beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "beside.py").write_text(f"WHERE = {where!r}\n")
    (directory / name).write_text(TASKS.format(where=where))
    return directory / name


def check(port: int, method: str, where: str) -> None:
    assert Client(HOST, port).call(method) == (True, True, 7, where, where)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_spawned_processes_import_it(start, tmp_path, name, method):
    pytest.importorskip("numpy")
    tasks = TASKS + "\nimport numpy, queue, email, time\nassert numpy.ones and queue.Queue\n"
    file = write(tmp_path / "tasks", name, "here")
    file.write_text(tasks.format(where="here"))
    check(start(init_file=file).port, method, "here")


@pytest.mark.parametrize("method", METHODS)
def test_another_module_of_that_name_is_beside_the_client(scripts: Scripts, tmp_path, method):
    # The client has imported both, which travel with nothing that it sends.
    scripts.write("app.py", "WHERE = 'client'\nclass Model: pass\n")
    scripts.write("beside.py", "WHERE = 'client'\n")
    files = [write(tmp_path / place, "app.py", place) for place in ("one", "two")]
    printed = scripts.run(STARTING.format(imports="import app, beside"), *files)
    for port, where in zip(printed.split(), ("one", "two"), strict=True):
        check(int(port), method, where)
        name, place = Client(HOST, int(port)).call("names")
        assert name == "bgpy_tasks_app"
        assert place > 0


def test_another_module_of_that_name_is_in_the_working_directory(scripts: Scripts, tmp_path):
    write(scripts.directory, "app.py", "cwd")
    write(scripts.directory / "pkg", "app.py", "pkg")
    for options in ({"PYTHONPATH": str(scripts.directory)}, {}):
        printed = scripts.run(
            STARTING.format(imports="import os\nos.chdir(os.path.dirname(__file__))"),
            "pkg/app.py",
            env={**os.environ, **options},
        )
        is_own, is_model, number, where, _ = Client(HOST, int(printed)).call("spawn")
        assert (is_own, is_model, number, where) == (True, True, 7, "pkg")


@pytest.mark.parametrize("name", ["app.py", "queue.py"])
def test_the_server_goes_elsewhere(start, tmp_path, monkeypatch, name):
    file = write(tmp_path / "tasks", name, "here")
    moving = "import os\n    os.chdir('/')\n    return {}"
    file.write_text(file.read_text().replace("return {}", moving, 1))
    monkeypatch.chdir(tmp_path)
    server = start(init_file=Path("tasks") / name)
    for method in METHODS:
        check(server.port, method, "here")


@pytest.mark.parametrize("name", ["app.py", "queue.py"])
def test_after_a_restart(start, tmp_path, name):
    file = write(tmp_path / "tasks", name, "here")
    file.write_text(
        file.read_text()
        .replace('args == "model"', 'args == "end"', 1)
        .replace("client_socket.respond(Model())", "os._exit(3)", 1)
    )
    server = start(init_file=file, name="again", restart="on-failure")
    with pytest.raises(bgpy.ConnectionLost):
        Client(HOST, server.port).call("end")
    with bgpy.connect("again", timeout=30) as client:
        assert client.call("spawn") == (True, True, 7, "here", "here")
        client.terminate()


def test_a_server_in_the_process_of_a_script(scripts: Scripts, tmp_path):
    # Two after each other, whose files share a name that is taken.
    files = [write(tmp_path / place, "queue.py", place) for place in ("one", "two")]
    for file in files:
        ready = "import __main__\n    __main__.started.set()\n    return {}"
        file.write_text(file.read_text().replace("return {}", ready, 1))
    printed = scripts.run(
        """
        import sys, threading, bgpy

        def ask(found):
            started.wait(60)
            with bgpy.connect("inside") as client:
                found.append(client.call("spawn", timeout=60)[:4])
                client.terminate()

        if __name__ == "__main__":
            for file in sys.argv[1:]:
                started, found = threading.Event(), []
                thread = threading.Thread(target=ask, args=(found,))
                thread.start()
                bgpy.Server("127.0.0.1", 0, init_file=file, name="inside").run()
                thread.join()
                print(found)
        """,
        *files,
    )
    assert printed.splitlines() == ["[(True, True, 7, 'one')]", "[(True, True, 7, 'two')]"]


def test_a_file_that_is_gone_is_an_error_and_no_hang(start, tmp_path):
    file = write(tmp_path / "tasks", "queue.py", "here")
    client = Client(HOST, start(init_file=file).port)
    file.unlink()
    for method in METHODS:
        with pytest.raises(bgpy.RemoteError, match=r"queue\.py', which no longer exists"):
            client.call(method, timeout=60)


def test_a_script_and_the_tasks_file_that_it_is_are_one_module(scripts: Scripts, start):
    text = TASKS.format(where="here") + (
        "\nif __name__ == '__main__':\n"
        "    import sys, bgpy\n"
        "    client = bgpy.Client('127.0.0.1', int(sys.argv[1]))\n"
        "    print(*(type(client.call(it)) is Model for it in (Model(), 'model')))\n"
    )
    scripts.write("beside.py", "WHERE = 'here'\n")
    # A package takes precedence over a file.
    (scripts.directory / "script_0").mkdir()
    scripts.write("script_0/__init__.py", "")
    server = start(init_file=scripts.write("script_0.py", text))
    assert scripts.run(text, server.port) == "True True\n"


def test_what_lies_beside_it_passes_for_no_module_of_python(start, tmp_path):
    file = write(tmp_path / "tasks", "app.py", "here")
    for name in ("queue", "random", "pytest", "numpy"):
        (file.parent / f"{name}.py").write_text("raise SystemExit('mine')\n")
    check(start(init_file=file).port, "spawn", "here")
    assert str(file.parent) not in sys.path
