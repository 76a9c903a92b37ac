"""Functions, classes and objects travel, whether or not the server could import them."""

from __future__ import annotations

import copy
import functools
import json
import sys
import threading

import cloudpickle
import pytest

from bgpy import Client, respond

HOST = "127.0.0.1"

CONNECT = """
import json, sys
from bgpy import Client, respond

client = Client("127.0.0.1", int(sys.argv[1]))
"""


class Counter:
    """A class that the server cannot import."""

    def __init__(self, start):
        self.count = start

    def __eq__(self, other):
        return type(other) is Counter and other.count == self.count

    def __hash__(self):
        return hash(self.count)

    def up(self):
        self.count += 1
        return self


class Tasks:
    """Tasks as methods and as callable objects."""

    def __init__(self, start):
        self.start = start

    def init(self):
        return {"count": self.start}

    def init_with_socket(self, client_socket):
        client_socket.respond("not awaited")
        return {"count": self.start}

    def exec(self, client_socket, state, args):
        state["count"] += args
        respond(client_socket, state["count"])

    def exit(self, client_socket, state, args):
        respond(client_socket, state)


class Start:
    """A callable object, for `init_task`."""

    def __call__(self):
        return {"count": 10}


class StartWithSocket:
    """A callable object that takes the client socket."""

    def __call__(self, client_socket):
        assert type(client_socket).__name__ == "ClientSocket"
        return {"count": 10}


def add(amount, client_socket, state, args):
    state["count"] += amount + args
    respond(client_socket, state["count"])


def start_at(count):
    return {"count": count}


def reply(client_socket, state, args):
    respond(client_socket, args)


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@decorated
def decorated_init():
    return {"count": 10}


@decorated
def decorated_init_with_socket(client_socket):
    assert client_socket is not None
    return {"count": 10}


@pytest.mark.parametrize(
    "init_task",
    [
        lambda: {"count": 10},
        lambda client_socket: {"count": 10},
        lambda *_: {"count": 10},
        lambda count=10: {"count": count},
        functools.partial(start_at, 10),
        functools.partial(dict, count=10),
        Tasks(10).init,
        Tasks(10).init_with_socket,
        Start(),
        StartWithSocket(),
        decorated_init,
        decorated_init_with_socket,
    ],
    ids=[
        "lambda",
        "lambda-socket",
        "lambda-any",
        "lambda-default",
        "partial",
        "partial-type",
        "method",
        "method-socket",
        "object",
        "object-socket",
        "decorated",
        "decorated-socket",
    ],
)
def test_everything_that_can_be_called_may_be_init_task(serve, init_task):
    client = serve(lambda client_socket, state, args: respond(client_socket, state), init_task)
    assert client.call({}) == {"count": 10}


@pytest.mark.parametrize(
    "exec_task",
    [
        functools.partial(add, 0),
        Tasks(10).exec,
        lambda client_socket, state, args: add(0, client_socket, state, args),
    ],
    ids=["partial", "method", "lambda"],
)
def test_everything_that_can_be_called_may_be_exec_task(serve, exec_task):
    client = serve(exec_task, lambda: {"count": 10}, Tasks(10).exit)
    assert client.call(5) == 15
    assert client.terminate(await_response=True) == {"count": 15}


def test_a_method_travels_without_a_class_that_cannot(serve):
    class Camera:
        lock = threading.Lock()

        def shoot(self):
            return "a picture"

        @staticmethod
        def name():
            return "a camera"

    client = serve(lambda client_socket, state, args: respond(client_socket, args[0](*args[1:])))
    assert client.call((Camera.shoot, None)) == "a picture"
    assert client.call((Camera.name,)) == "a camera"


def test_a_closure_takes_its_variables_along(serve):
    step, seen = 3, []

    def count(client_socket, state, args):
        seen.append(args)
        respond(client_socket, [number * step for number in seen])

    client = serve(count)
    assert client.call(1) == [3]
    assert client.call(2) == [3, 6]
    assert seen == []


def test_instances_of_unknown_classes_travel_both_ways(serve):
    client = serve(lambda client_socket, state, args: respond(client_socket, args.up()))
    sent = Counter(1)
    received = client.call(sent)
    assert type(received) is Counter
    assert (sent.count, received.count) == (1, 2)


def test_classes_and_functions_are_values_too(serve):
    client = serve(reply)
    assert client.call(Counter) is Counter
    assert client.call(lambda number: number + 1)(1) == 2
    assert client.call([len, int, json.dumps]) == [len, int, json.dumps]


def test_a_state_may_hold_unknown_classes(serve):
    def up(client_socket, state, args):
        respond(client_socket, state["counter"].up())

    client = serve(up, lambda: {"counter": Counter(5)})
    assert client.call({}) == Counter(6)
    assert client.call({}) == Counter(7)


def test_nothing_of_the_callers_is_changed(serve):
    args = {"command": "increase", "by": Counter(1), "list": [1, {2: 3}]}
    before, modules = copy.deepcopy(args), set(sys.modules)
    client = serve(reply)
    client.execute(args)
    client.execute(args, await_response=True)
    client.call(args)
    client.terminate(args)
    assert args == before
    assert set(sys.modules) == modules


def test_what_the_caller_pickles_by_value_stays_as_it_was(serve):
    assert cloudpickle.list_registry_pickle_by_value() == set()
    client = serve(reply)
    client.call(Counter(1))
    assert cloudpickle.list_registry_pickle_by_value() == set()
    cloudpickle.register_pickle_by_value(json)
    try:
        client.call(Counter(1))
        assert cloudpickle.list_registry_pickle_by_value() == {"json"}
    finally:
        cloudpickle.unregister_pickle_by_value(json)


def test_a_module_of_tasks_is_not_imported_by_the_server(serve):
    names = serve(lambda client_socket, state, args: respond(client_socket, list(sys.modules)))
    assert "pytest" not in names.call({})


def test_tasks_of_main(scripts, start):
    printed = scripts.run(
        CONNECT
        + """
STEP = 5

class Box:
    def __init__(self, inside):
        self.inside = inside

def twice(number):
    return 2 * number

def init():
    return {"box": Box(1)}

def step(client_socket, state, args):
    state["box"].inside += twice(STEP)
    respond(client_socket, state["box"])

def leave(client_socket, state, args):
    respond(client_socket, {"inside": state["box"].inside, "args": args})

print(client.initialize(init, step, leave))
box = client.call({})
print(type(box) is Box, box.inside)
print(client.terminate({"a": 1}, await_response=True))
        """,
        start().port,
    )
    assert printed.splitlines() == [
        "{'message': 'Initialization successful.'}",
        "True 11",
        "{'inside': 11, 'args': {'a': 1}}",
    ]


def test_tasks_of_a_module_beside_the_script(scripts, start):
    scripts.write(
        "beside.py",
        "import deeper.still\n\ndef reply(client_socket, state, args):\n"
        "    client_socket.respond((deeper.still.triple(args.inside), args))\n\n"
        "class Box:\n    inside = 4\n",
    )
    scripts.write("deeper/__init__.py", "")
    scripts.write("deeper/still.py", "def triple(number):\n    return 3 * number\n")
    printed = scripts.run(
        CONNECT
        + """
import beside
client.initialize(dict, beside.reply, print)
tripled, box = client.call(beside.Box())
print(tripled, type(box) is beside.Box)
        """,
        start().port,
    )
    assert printed == "12 True\n"


def test_a_server_started_by_the_script_keeps_its_modules_working(scripts):
    scripts.write(
        "beside.py",
        "import threading\nlock = threading.Lock()\n\n"
        "def guarded(client_socket, state, args):\n"
        "    with lock:\n        client_socket.respond(args)\n",
    )
    printed = scripts.run(
        """
        from bgpy import Client, Server
        import beside

        # The lock cannot travel, but this server finds the module.
        server = Server("127.0.0.1", 0)
        server.run_background()
        client = Client("127.0.0.1", server.port)
        client.initialize(dict, beside.guarded, print)
        print(client.call("found"))
        server.stop()
        """
    )
    assert printed == "found\n"


def test_code_that_is_typed_in_has_no_file_and_travels(start):
    typed = {"respond": respond}
    exec(
        "def reply(client_socket, state, args):\n    respond(client_socket, args * FACTOR)\n"
        "FACTOR = 7\n",
        typed,
    )
    client = Client(HOST, start().port)
    client.initialize(dict, typed["reply"], print)
    assert client.call(6) == 42


def test_functions_and_classes_need_no_cloudpickle(scripts, start):
    # Its import takes as long as the start of a server.
    printed = scripts.run(
        CONNECT
        + """
class Box:
    pass

def reply(client_socket, state, args):
    client_socket.respond((args, "cloudpickle" in sys.modules))

client.initialize(dict, reply, lambda *_: None)
print(client.call([Box(), lambda: 1])[1], "cloudpickle" in sys.modules)
        """,
        start().port,
    )
    assert printed == "False False\n"


def test_views_of_dicts_travel(serve):
    value = {"a": Counter(1)}
    assert list(serve(reply).call(value.keys())) == ["a"]
    assert list(serve(reply).call(value.values())) == [Counter(1)]
