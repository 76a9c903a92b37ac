"""The first call that needs a pickle imports modules, and a fork or a signal may come then."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from bgpy import Server, respond

# What is needed for the first time.
KINDS = {
    "an instance": "K()",
    "a function": "lambda: 1",
    "an enumeration": "E.A",
    "a flag": "re.I",
    "a UUID": "uuid.UUID(int=1)",
    "what fails": "[open(__file__)]",
}

HEAD = """
import enum, faulthandler, os, re, signal, sys, threading, time, uuid
from bgpy import BgpyError, Client

class K:
    pass

class E(enum.Enum):
    A = 1

def call(client):
    try:
        client.call(eval(sys.argv[3]), timeout=5)
    except BgpyError as error:
        assert "cannot be pickled" in str(error), error

faulthandler.dump_traceback_later(20, exit=True)
delay = float(sys.argv[2])
clients = [Client("127.0.0.1", int(sys.argv[1])) for _ in range(2)]
for each in clients:
    each.ping()
"""

FORK = """
thread = threading.Thread(target=call, args=clients[:1])
thread.start()
time.sleep(delay)
pid = os.fork()
if not pid:
    try:
        call(clients[1])
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)
thread.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

HANDLER = """
done = []

def handler(*_):
    call(clients[0])
    done.append(True)

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, max(delay, 1e-6))
call(clients[0])
while not done:
    time.sleep(0.01)
"""


def answer(client_socket, state, args):
    respond(client_socket, None)


@pytest.fixture
def port(request):
    with Server("127.0.0.1", 0) as server:
        from bgpy import Client

        with Client("127.0.0.1", server.port) as client:
            client.initialize(dict, answer)
        yield server.port


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", [FORK, HANDLER], ids=["fork", "handler"])
def test_a_first_use_that_is_interrupted(tmp_path, port, what, kind):
    script = tmp_path / "script.py"
    script.write_text(HEAD + what)
    # The moments in which a first call imports, on fast and on slow machines.
    delays = [number * 0.0015 for number in range(16)]
    processes = [
        subprocess.Popen(
            [sys.executable, script, str(port), str(delay), KINDS[kind]],
            stderr=subprocess.PIPE,
            text=True,
        )
        for delay in delays
    ]
    printed = [process.communicate()[1] for process in processes]
    ends = Counter(process.returncode for process in processes)
    assert ends == {0: len(delays)}, "\n".join(filter(None, printed))


RAISES = """
class Slow:
    def __getstate__(self):
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            time.sleep(0.01)
        return {"a": 1}

class Limit:
    def __call__(self, *_):
        raise TimeoutError("my own limit")

def handler(*_):
    raise TimeoutError("my own limit")

for act in (handler, Limit(), Limit().__call__):
    for delay in (0.1, 0.6):
        signal.signal(signal.SIGALRM, act)
        signal.setitimer(signal.ITIMER_REAL, delay)
        try:
            # Twice, so that it takes longer than either delay.
            clients[0].call([Slow(), Slow()])
        except TimeoutError as error:
            assert str(error) == "my own limit", error
        else:
            raise AssertionError("the handler was not heard")
# One that is raised by the object itself is the object's fault.
class Bad:
    def __getstate__(self):
        raise TimeoutError("of the object")
try:
    clients[0].call(Bad())
except BgpyError as error:
    assert "args" in str(error), error
    assert isinstance(error.__cause__, TimeoutError)
else:
    raise AssertionError("it was sent")
"""


def test_an_exception_of_a_handler_is_passed_on(scripts, port):
    assert scripts.run(HEAD + RAISES, port, 0, "None") == ""


def test_threading_is_not_imported_by_another_thread(scripts):
    text = """
import sys
import bgpy._by_value, bgpy._code.define, bgpy._pickling_paths, bgpy._unpickling_paths
import datetime, decimal, enum, pathlib, uuid, zoneinfo
sys.exit("threading" in sys.modules)
"""
    assert scripts.run(text) == ""


def test_what_is_imported_later_is_there_from_the_start(scripts):
    scripts.run(
        """
        import bgpy
        assert set(bgpy.__all__) <= set(dir(bgpy))
        assert all(getattr(bgpy, name) is getattr(bgpy, name) for name in bgpy.__all__)
        assert bgpy.interface.initialize is bgpy.initialize
        from bgpy import *
        assert begin is bgpy.begin and callable(client)
        """
    )
