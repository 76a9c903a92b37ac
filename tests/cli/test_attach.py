"""`bgpy attach`: a prompt in a server, and tasks at breakpoints."""

from __future__ import annotations

import os
import re
import select
import sys
import threading
import time

import pytest
from support.processes import KILL

from bgpy import BgpyError, connect

LIMIT_S = 30

TASKS = """\
import pdb
import time

from bgpy import respond

UNIT = "mm"


def init_task():
    return {"films": 3}


def exec_task(client_socket, state, args):
    match args:
        case "break":
            films = state["films"]
            breakpoint()
            respond(client_socket, films)
        case "set_trace":
            pdb.set_trace()
            respond(client_socket, "went on")
        case "again":
            return {"films": state["films"] + 1}
        case "sleep":
            time.sleep(60)
        case _:
            respond(client_socket, args)
"""


@pytest.fixture
def cellar(commands, tmp_path):
    """Start a server with the name 'cellar'."""
    path = tmp_path / "cellar.py"
    path.write_text(TASKS)
    assert commands.run("start", path)[0] == 0
    return commands


def log(commands):
    return commands.run("logs", "cellar")[1]


class Terminal:
    """A command on a terminal."""

    def __init__(self, process, terminal) -> None:
        self.process, self.terminal, self.seen = process, terminal, ""

    def wait_for(self, text: str) -> str:
        """Wait until something is shown; return it and all before it."""
        until = time.monotonic() + LIMIT_S
        while text not in self.seen:
            left = until - time.monotonic()
            assert left > 0, f"{text!r} is not shown: {self.seen!r}"
            if select.select([self.terminal], [], [], left)[0]:
                try:
                    self.seen += os.read(self.terminal, 65536).decode("utf-8", "replace")
                except OSError:
                    assert text in self.seen, f"{text!r} is not shown: {self.seen!r}"
        shown, _, self.seen = self.seen.partition(text)
        return shown + text

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())


ON_TERMINAL = """
import fcntl, os, sys, termios
line = int(sys.argv[1])
os.setsid()
fcntl.ioctl(line, termios.TIOCSCTTY, 0)
for descriptor in range(3):
    os.dup2(line, descriptor)
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def on_terminal(each_form):
    """Return a function that runs each form of the command on a terminal of its own."""
    commands = each_form
    terminals = []

    def run(*arguments):
        terminal, line = os.openpty()
        terminals.append(terminal)
        form, commands.form = (
            commands.form,
            [sys.executable, "-c", ON_TERMINAL, str(line), *commands.form],
        )
        try:
            process = commands.spawn(
                *arguments,
                stdin=None,
                stdout=None,
                stderr=None,
                pass_fds=[line],
                env={**os.environ, "TERM": "xterm"},
            )
        finally:
            commands.form = form
            os.close(line)
        return Terminal(process, terminal)

    yield run
    for terminal in terminals:
        os.close(terminal)


def test_lines_from_a_pipe(each_form, cellar):
    given = "state\nstate['films'] += 4\nUNIT\nfor each in range(2):\n    print(each)\n\n1 / 0\n"
    code, data, words = each_form.run("attach", "cellar", given=given)
    assert (code, words) == (0, "")
    head, _, tail = data.partition("Traceback (most recent call last):\n")
    assert head == "{'films': 3}\n'mm'\n0\n1\n"
    assert tail.endswith("ZeroDivisionError: division by zero\n")
    assert connect("cellar").call("x") == "x"
    assert each_form.run("attach", "cellar", given="state\n")[1] == "{'films': 7}\n"


def test_the_state_is_the_present_one(cellar):
    prompt = cellar.spawn("attach", "cellar")
    prompt.stdin.write("state\n")
    prompt.stdin.flush()
    assert prompt.stdout.readline() == "{'films': 3}\n"
    connect("cellar").execute("again")
    connect("cellar").call(1)
    data, _ = prompt.communicate("state\n", timeout=LIMIT_S)
    assert data == "{'films': 4}\n"


def test_what_is_printed_is_not_in_the_log(cellar):
    given = "import sys\nprint('for me')\nprint('this too', file=sys.stderr)\n"
    assert cellar.run("attach", "cellar", given=given)[1] == "for me\nthis too\n"
    assert "for me" not in log(cellar)


def test_while_a_task_hangs(cellar):
    connect("cellar").execute("sleep")
    assert cellar.run("attach", "cellar", given="state\n")[:2] == (0, "{'films': 3}\n")


def test_exit_leaves(cellar):
    assert cellar.run("attach", "cellar", given="exit()\n1\n")[:2] == (0, "")


def test_much_output(cellar):
    code, data, _ = cellar.run("attach", "cellar", given="print('x' * 900_000)\n")
    assert (code, len(data)) == (0, 900_001)
    data = cellar.run("attach", "cellar", given="print('y' * 5_000_000)\n")[1]
    assert "bytes of output are left out]" in data
    assert data.endswith("y\n")


def test_on_a_terminal(cellar, on_terminal):
    shown = on_terminal("attach", "cellar")
    assert "beside the tasks" in shown.wait_for("exit() or Ctrl-D leaves")
    shown.wait_for(">>> ")
    shown.type("print(state)\r")
    shown.wait_for("{'films': 3}")
    shown.wait_for(">>> ")
    shown.type("print('no line feed', end='')\r")
    shown.wait_for("no line feed\r\n")
    shown.wait_for(">>> ")
    shown.type("while True: pass\r")
    shown.wait_for("... ")
    shown.type("\r")
    time.sleep(0.3)
    shown.type("\x03")
    shown.wait_for("KeyboardInterrupt")
    shown.wait_for(">>> ")
    shown.type("input('name? ')\r")
    shown.wait_for("name? ")
    shown.type("me\r")
    shown.wait_for("'me'")
    shown.wait_for(">>> ")
    shown.type("\x04")
    assert shown.process.wait(LIMIT_S) == 0


def test_a_second_ctrl_c_leaves(cellar, on_terminal):
    shown = on_terminal("attach", "cellar")
    shown.wait_for(">>> ")
    shown.type("import time; time.sleep(3600)\r")
    time.sleep(0.3)
    shown.type("\x03")
    time.sleep(0.5)
    shown.type("\x03")
    assert shown.process.wait(LIMIT_S) == 130
    assert connect("cellar").call(1) == 1


def waits(commands, place):
    line = rf"breakpoint in {re.escape(place)}:\d+: `bgpy attach cellar` opens it"
    until = time.monotonic() + LIMIT_S
    while not re.search(line, told := log(commands)):
        assert time.monotonic() < until, told


def calling(task):
    """Call in a thread; return it and where the outcome will be."""
    outcome = []

    def call():
        try:
            outcome.append(connect("cellar").call(task))
        except BgpyError as error:
            outcome.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread, outcome


def test_a_breakpoint_waits_for_somebody(cellar):
    thread, outcome = calling("break")
    waits(cellar, "exec_task at cellar.py")
    code, data, _ = cellar.run("attach", "cellar", given="p films\nfilms = 36\nc\n")
    assert code == 0
    # From Python 3.13 on, it is the line of the breakpoint itself.
    assert "-> respond(client_socket, films)" in data or "-> breakpoint()" in data
    assert "\n3\n" in data
    thread.join(LIMIT_S)
    assert outcome == [36]
    assert cellar.run("attach", "cellar", given="state\n")[1] == "{'films': 3}\n"


def test_pdb_itself(cellar):
    thread, outcome = calling("set_trace")
    waits(cellar, "exec_task at cellar.py")
    assert cellar.run("attach", "cellar", given="c\n")[0] == 0
    thread.join(LIMIT_S)
    assert outcome == ["went on"]


def test_it_may_be_left_and_found_again(cellar):
    thread, outcome = calling("break")
    waits(cellar, "exec_task at cellar.py")
    assert cellar.run("attach", "cellar", given="films = 24\n")[0] == 0
    assert cellar.run("attach", "cellar", "--prompt", given="state\n")[1] == "{'films': 3}\n"
    data = cellar.run("attach", "cellar", given="p films\nn\nc\n")[1]
    assert "\n24\n" in data
    thread.join(LIMIT_S)
    assert outcome == [24]


def test_q_ends_the_task(cellar):
    thread, outcome = calling("break")
    waits(cellar, "exec_task at cellar.py")
    assert cellar.run("attach", "cellar", given="q\n")[0] == 0
    thread.join(LIMIT_S)
    assert "BdbQuit" in str(outcome[0])
    assert connect("cellar").call(5) == 5


def test_a_client_that_dies_leaves_it_waiting(cellar):
    thread, outcome = calling("break")
    waits(cellar, "exec_task at cellar.py")
    first = cellar.spawn("attach", "cellar")
    first.stdin.write("films = 12\np 'it is set'\n")
    first.stdin.flush()
    while "it is set" not in (line := first.stdout.readline()):
        assert line
    first.send_signal(KILL)
    first.wait(LIMIT_S)
    # It takes some seconds until nobody is there any more; a prompt knows nothing of films.
    until = time.monotonic() + LIMIT_S
    while "\n12\n" not in "\n" + cellar.run("attach", "cellar", given="print(films)\nc\n")[1]:
        assert time.monotonic() < until
    thread.join(LIMIT_S)
    assert outcome == [12]


def test_stepping_to_the_end_of_a_task(cellar):
    thread, outcome = calling("break")
    waits(cellar, "exec_task at cellar.py")
    code, data, _ = cellar.run("attach", "cellar", given="n\n" * 8)
    assert (code, "--Return--" in data) == (0, True)
    thread.join(LIMIT_S)
    assert outcome == [3]
    assert connect("cellar").call(5) == 5


def test_two_threads_at_breakpoints(commands, tmp_path):
    path = tmp_path / "cellar.py"
    path.write_text(
        "import threading\nfrom bgpy import respond\n\n\ndef init_task():\n    return {}\n\n\n"
        "def exec_task(client_socket, state, args):\n"
        "    threads = [threading.Thread(target=part, args=[n, state]) for n in range(2)]\n"
        "    for thread in threads:\n        thread.start()\n"
        "    for thread in threads:\n        thread.join()\n"
        "    respond(client_socket, state)\n\n\n"
        "def part(number, state):\n    found = number\n    breakpoint()\n"
        "    state[number] = found\n"
    )
    commands.run("start", path)
    thread, outcome = calling(None)
    waits(commands, "part at cellar.py")
    while log(commands).count("breakpoint in part") < 2:
        pass
    for _ in range(2):
        assert commands.run("attach", "cellar", given="found += 10\nc\n")[0] == 0
    thread.join(LIMIT_S)
    assert outcome == [{0: 10, 1: 11}]


@pytest.mark.parametrize("is_callable", [False, True])
def test_the_object_of_a_service(commands, tmp_path, is_callable):
    call = "    def __call__(self):\n        pass\n" if is_callable else ""
    (tmp_path / "shop.py").write_text(
        "UNIT = 'mm'\n\nclass Shop:\n    def __init__(self):\n        self.films = 3\n"
        "    def sell(self):\n        self.films -= 1\n" + call
    )
    assert commands.run("start", f"{tmp_path / 'shop.py'}:Shop")[0] == 0
    code, data, _ = commands.run("attach", "shop", given="service.films\nUNIT\nservice.sell()\n")
    assert (code, data) == (0, "3\n'mm'\n")
    assert connect("shop").status()["state"] == "READY"
    assert commands.run("attach", "shop", given="service.films\n")[1] == "2\n"


def test_a_server_that_takes_no_pickles(commands, tmp_path):
    path = tmp_path / "cellar.py"
    path.write_text(TASKS)
    commands.run("start", path, "--no-pickle")
    code, data, words = commands.run("attach", "cellar", given="state\n")
    assert (code, data) == (1, "")
    assert "its clients may not run code in it: `bgpy dump` shows what it does" in words
    assert connect("cellar").call("break") == 3
    assert re.search(r"breakpoint in exec_task at cellar\.py:\d+ is passed over", log(commands))


def test_an_interpreter_that_is_held(commands, tmp_path):
    path, mark = tmp_path / "cellar.py", tmp_path / "mark"
    path.write_text(
        "import ctypes, pathlib\n\ndef init_task():\n    return {}\n\n"
        "def exec_task(client_socket, state, args):\n"
        "    pathlib.Path(args).touch()\n    ctypes.PyDLL(None).sleep(60)\n"
    )
    commands.run("start", path)
    connect("cellar").execute(str(mark))
    while not mark.exists():
        pass
    code, data, words = commands.run("attach", "cellar", given="state\n")
    assert (code, data) == (1, "")
    assert "a call into an extension holds it (the GIL); `bgpy dump` shows where" in words


def test_a_prompt_that_comes_to_a_breakpoint(cellar):
    outer = cellar.spawn("attach", "cellar")
    outer.stdin.write("def stop():\n    found = 5\n    breakpoint()\n    return found\n\nstop()\n")
    outer.stdin.flush()
    waits(cellar, "stop at <bgpy attach>")
    assert cellar.run("attach", "cellar", given="found = 6\nc\n")[0] == 0
    data, _ = outer.communicate("print('here')\n", timeout=LIMIT_S)
    assert (outer.returncode, data) == (0, "6\nhere\n")


def test_a_prompt_of_a_client_that_died_is_closed(cellar):
    first = cellar.spawn("attach", "cellar")
    first.stdin.write("import bgpy._debug.session as session\nsession.ABANDONED_S = 3\n1\n")
    first.stdin.flush()
    assert first.stdout.readline() == "1\n"
    first.kill()
    first.wait(LIMIT_S)
    names = "import threading\n[thread.name for thread in threading.enumerate()]\n"
    assert "bgpy-prompt-1" in cellar.run("attach", "cellar", given=names)[1]
    until = time.monotonic() + LIMIT_S
    while "bgpy-prompt-1'" in cellar.run("attach", "cellar", given=names)[1]:
        assert time.monotonic() < until


def test_a_server_that_ends(cellar):
    prompt = cellar.spawn("attach", "cellar")
    prompt.stdin.write("1\n")
    prompt.stdin.flush()
    assert prompt.stdout.readline() == "1\n"
    assert cellar.run("stop", "cellar")[0] == 0
    data, words = prompt.communicate("state\n", timeout=LIMIT_S)
    assert (prompt.returncode, data) == (1, "")
    assert "cellar has ended, and the session with it: " in words


def test_beside_a_task_that_computes(commands, tmp_path):
    path = tmp_path / "cellar.py"
    path.write_text(
        "def init_task():\n    return {'rounds': 0}\n\n"
        "def exec_task(client_socket, state, args):\n"
        "    while 'enough' not in state:\n        state['rounds'] += 1\n"
    )
    commands.run("start", path)
    connect("cellar").execute(None)
    given = "state['rounds'] > 0\nstate['enough'] = True\n"
    assert commands.run("attach", "cellar", given=given)[:2] == (0, "True\n")
    # The task has ended.
    commands.run("wait", "cellar", "--for", "idle")


def test_only_so_many_prompts(cellar):
    prompts = [cellar.spawn("attach", "cellar") for _ in range(8)]
    for prompt in prompts:
        prompt.stdin.write("1\n")
        prompt.stdin.flush()
        assert prompt.stdout.readline() == "1\n"
    code, _, words = cellar.run("attach", "cellar", given="1\n")
    assert (code, "8 prompts are open already" in words) == (1, True)
    prompts[0].communicate("", timeout=LIMIT_S)
    # Its thread has to read the end.
    while cellar.run("attach", "cellar", given="1\n")[0] != 0:
        pass
    for prompt in prompts[1:]:
        prompt.communicate("", timeout=LIMIT_S)
