"""What tasks define is known to processes that they start, and to readers of what they wrote."""

from __future__ import annotations

import importlib.util
import pickle
import sys

import pytest
from support.scripts import Scripts

from bgpy import Client

HOST = "127.0.0.1"
TASKS = """
import concurrent.futures, multiprocessing, pickle

class Model:
    weight = 3

    def weigh(self, number):
        return self.weight * number

def helper(number):
    return Model().weigh(number)

def init_task():
    return {}

def exec_task(client_socket, state, args):
    method, path = args
    if method == "write":
        with open(path, "wb") as file:
            pickle.dump([Model(), helper], file)
        found = Model.__module__
    elif method == "joblib":
        import joblib
        found = joblib.Parallel(2)(joblib.delayed(helper)(number) for number in range(3))
        # Its workers would wait for more, also when the test has killed the server.
        joblib.externals.loky.get_reusable_executor().shutdown(wait=True)
    else:
        context = multiprocessing.get_context(method)
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            found = list(pool.map(Model().weigh, range(3)))
            assert list(pool.map(helper, range(3))) == found
    client_socket.respond(found)

def exit_task(client_socket, state, args):
    pass
"""
SENT = """
if __name__ == "__main__":
    import sys
    from bgpy import Client

    client = Client("127.0.0.1", int(sys.argv[1]))
    client.initialize(init_task, exec_task, exit_task)
    try:
        print(client.call((sys.argv[2], None)))
    except Exception as error:
        print(type(error).__name__, str(error.__cause__))
"""
METHODS = ["spawn", "forkserver", "joblib"]


def skip_without(method):
    if method == "joblib":
        pytest.importorskip("joblib")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["jobs.py", "1st job.py", "queue.py"])
def test_workers_of_a_tasks_file(scripts: Scripts, start, method, name):
    skip_without(method)
    server = start(init_file=scripts.write(name, TASKS))
    assert Client(HOST, server.port).call((method, None)) == [0, 3, 6]


@pytest.mark.parametrize("method", METHODS)
def test_workers_of_the_tasks_of_a_script(scripts: Scripts, start, method):
    skip_without(method)
    assert scripts.run(TASKS + SENT, start().port, method) == "[0, 3, 6]\n"


IMPORTED = """
import sys
import jobs
from bgpy import Client, Server

if __name__ == "__main__":
    sys.path += sys.argv[2:]
    with Server("127.0.0.1", 0) as server:
        client = Client("127.0.0.1", server.port)
        client.initialize(jobs.init_task, jobs.exec_task, jobs.exit_task)
        print(client.call((sys.argv[1], None)))
"""


@pytest.mark.parametrize("method", ["fork", *METHODS])
def test_workers_of_the_tasks_of_a_module(scripts: Scripts, method):
    skip_without(method)
    scripts.write("jobs.py", TASKS)
    assert scripts.run(IMPORTED, method) == "[0, 3, 6]\n"


def test_a_module_of_tasks_that_workers_would_not_find_is_an_error_and_no_hang(scripts: Scripts):
    scripts.write("jobs.py", TASKS)
    hidden = IMPORTED.replace("sys.path += sys.argv[2:]", "sys.path.pop(0)")
    hidden = hidden.replace("print(client", "try:\n            print(client")
    hidden += "        except Exception as error:\n            print(error)\n"
    assert "PicklingError" in scripts.run(hidden, "spawn")


PICKLING = """
import pickle
from shapes import Found, look

class Shape:
    pass

class Other(Shape):
    pass

SIZE = 3

def exec_task(client_socket, state, args):
    import shapes, {module} as own

    kept = pickle.loads(pickle.dumps((args, look, Found())))
    found = isinstance(args, Shape), type(kept[0]) is type(args), kept[1] is look
    client_socket.respond((*found, own.Shape is Shape, getattr(own, "SIZE", None)))
"""
CALLING = """
if __name__ == "__main__":
    from bgpy import Client, Server

    with Server("127.0.0.1", 0) as server:
        clients = [Client("127.0.0.1", server.port) for _ in range(2)]
        clients[0].initialize(dict, {module}.exec_task, print)
        for client in clients:
            print(client.call({module}.Shape()), client.call({module}.Other()))
"""


# Of these modules nobody can tell whether they are the same elsewhere, or they cannot be imported.
HELPERS = [
    "",
    "import threading\nlock = threading.Lock()\n",
    "import os\nid = os.getpid()\n",
    "import sys\nif 'bgpy._background' in sys.modules: raise OSError('no device')\n",
]


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize("module", ["__main__", "jobs"])
def test_tasks_pickle_what_is_theirs_and_what_arrives(scripts: Scripts, module, helper):
    scripts.write("shapes.py", f"{helper}def look(): pass\nclass Found: pass\n")
    tasks, script = PICKLING.format(module=module), CALLING.format(module=module)
    if module == "__main__":
        text, size = f"import __main__\n{tasks}{script}", None
    else:
        scripts.write("jobs.py", tasks)
        text, size = f"import jobs\n{script}", 3
    seen = (True, True, True, True, size)
    assert scripts.run(text) == f"{seen} {seen}\n" * 2


def test_workers_of_tasks_that_are_sent_again(scripts: Scripts, start):
    # The first ones are not accepted.
    failing = TASKS.replace("return {}", "raise ValueError")
    port = start().port
    scripts.run(
        failing
        + SENT.replace(
            "client.initialize(init_task, exec_task, exit_task)",
            "try:\n        "
            "client.initialize(init_task, exec_task, exit_task)\n    except Exception:\n        "
            "sys.exit()",
        ),
        port,
        "spawn",
    )
    assert scripts.run(TASKS + SENT, port, "spawn") == "[0, 3, 6]\n"


def test_without_the_file_of_the_script_there_is_an_error_and_no_hang(scripts: Scripts, start):
    # As from another machine, or typed in.
    text = f"import runpy, sys\nexec(compile({TASKS + SENT!r}, '/not/there.py', 'exec'))\n"
    port = start().port
    printed = scripts.run("__file__ = '/not/there.py'\n" + text, port, "spawn")
    assert "RemoteError" in printed
    assert "processes that the tasks spawn do not know" in printed
    assert Client(HOST, port).status()["state"] == "READY"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize(
    "guard",
    [
        "if '__main__' == __name__ :",
        "if True:\n  if __name__ == MAIN:",
        "if (\n  __name__\n  == '__main__'\n):",
        "is_main = __name__ == '__main__'\nif is_main:",
    ],
)
def test_main_guards_of_all_kinds(scripts: Scripts, start, method, guard):
    text = f"""
import multiprocessing, sys
from bgpy import Client, respond
MAIN = "__main__"

def double(number): return 2 * number

def exec_task(client_socket, state, args):
    with multiprocessing.get_context(args).Pool(1) as pool:
        respond(client_socket, pool.map(double, [1, 2]))

{guard}
    client = Client("{HOST}", int(sys.argv[1]))
    client.initialize(dict, exec_task, print)
    print(client.call({method!r}, timeout=30))
"""
    assert scripts.run(text, start().port) == "[2, 4]\n"


def test_whoever_imports_the_tasks_file_opens_what_the_tasks_wrote(scripts, start, tmp_path):
    server = start(init_file=scripts.write("jobs.py", TASKS))
    path = str(tmp_path / "written")
    assert Client(HOST, server.port).call(("write", path)) == "jobs"
    printed = scripts.run(
        "import pickle, sys\nmodel, helper = pickle.load(open(sys.argv[1], 'rb'))\n"
        "import jobs\nprint(type(model) is jobs.Model, helper is jobs.helper)\n",
        path,
    )
    assert printed == "True True\n"


@pytest.mark.parametrize("name", ["json.py", "bgpy.py", "a.b.py", "pickle", "main.txt"])
def test_a_file_that_no_import_finds_has_a_module_of_its_own(scripts, start, tmp_path, name):
    file = scripts.write(name, TASKS)
    server = start(init_file=file)
    path = str(tmp_path / "written")
    assert Client(HOST, server.port).call(("write", path)).startswith("bgpy_tasks_")
    assert b"bgpy_tasks_" in (tmp_path / "written").read_bytes()


def test_a_class_of_the_tasks_file_arrives_at_clients_that_lack_it(scripts, start, tmp_path):
    tasks = TASKS.replace("client_socket.respond(found)", "client_socket.respond([Model(), Model])")
    server = start(init_file=scripts.write("jobs.py", tasks))
    assert importlib.util.find_spec("jobs") is None
    client = Client(HOST, server.port)
    (model, cls), (again, _) = (client.call(("write", str(tmp_path / "w"))) for _ in range(2))
    assert type(model) is cls is type(again)
    assert model.weigh(2) == 6
    assert "jobs" not in sys.modules
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(model)


UNGUARDED = """
import multiprocessing
from bgpy import Client, RemoteError, Server

def double(number):
    return 2 * number

def exec_task(client_socket, state, args):
    method, function = args
    with multiprocessing.get_context(method).Pool(1) as pool:
        client_socket.respond(pool.map(function, [-1]))

with Server("127.0.0.1", 0) as server:
    client = Client("127.0.0.1", server.port)
    client.initialize(dict, exec_task, print)
    print(*(client.call((method, abs)) for method in ("fork", "spawn", "forkserver")))
    print(client.call(("fork", double)))
    for method in ("spawn", "forkserver"):
        try:
            client.call((method, double), timeout=30)
        except RemoteError as error:
            print(error)
"""


def test_a_script_that_would_start_servers_when_imported_is_imported_by_none(scripts: Scripts):
    named, forked, *refused = scripts.run(UNGUARDED).splitlines()
    assert (named, forked) == ("[1] [1] [1]", "[-2]")
    assert len(refused) == 2
    for line in refused:
        assert "RuntimeError: processes that the tasks spawn do not know 'double'" in line
