"""A server that is killed over and over under clients that call, and is started again."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from pathlib import Path

import bgpy
from trials import Row, Scale
from workspace import Placement, Workspace

CALLERS = 3
TASKS = """
import os
from bgpy import respond

def init_task():
    return {"kept": os.open(os.environ["BGPY_CHAOS_KEPT"], os.O_WRONLY | os.O_APPEND)}

def exec_task(client_socket, state, args):
    os.write(state["kept"], f"{args}\\n".encode())
    respond(client_socket, args)

def exit_task(client_socket, state, args):
    pass
"""


class Caller(threading.Thread):
    """Calls until it is told to end, and notes what it was told of each call."""

    def __init__(self, name: str, who: int) -> None:
        super().__init__()
        self.server, self.who = name, who
        self.answered: list[str] = []
        self.perhaps: list[str] = []
        self.over = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Call, each time with a text of its own."""
        try:
            with bgpy.connect(self.server) as client:
                while not self.over.is_set():
                    text = f"{self.who}-{len(self.answered) + len(self.perhaps)}"
                    try:
                        assert client.call(text, timeout=60) == text
                    except bgpy.ConnectionLost:
                        self.perhaps.append(text)
                    else:
                        self.answered.append(text)
        except BaseException as error:
            self.error = error


def run(scale: Scale) -> list[Row]:
    """Kill the server, wait until it has answered all of its clients again, and kill it again."""
    kills = scale.count(200, 5)
    with Workspace(Placement.FREE) as workspace:
        kept, tasks = workspace.directory / "kept", workspace.directory / "tasks.py"
        kept.touch()
        tasks.write_text(TASKS)
        env = {**os.environ, "BGPY_CHAOS_KEPT": str(kept)}
        server = bgpy.start(tasks, "mortal", restart="on-failure:100000", env=env)
        callers = [Caller("mortal", who) for who in range(CALLERS)]
        try:
            for caller in callers:
                caller.start()
            for _ in range(kills):
                before = [len(caller.answered) for caller in callers]
                wait_for_answers(callers, before)
                os.kill(server.pid, signal.SIGKILL)
        finally:
            for caller in callers:
                caller.over.set()
                caller.join()
        (info,) = bgpy.servers()
        server.stop(30)
        ran = Counter(Path(kept).read_text().split())
    for error in filter(None, (caller.error for caller in callers)):
        raise error
    answered = [text for caller in callers for text in caller.answered]
    perhaps = {text for caller in callers for text in caller.perhaps}
    assert info.generation == kills
    assert all(ran[text] == 1 for text in answered), "an answered call has not run exactly once"
    assert all(ran[text] <= 1 for text in perhaps), "a call has run twice"
    assert ran.keys() <= perhaps | set(answered), "something has run that nobody has called"
    done = (
        f"{kills:,} x `kill -9` of a server with `restart='on-failure'` while {CALLERS} clients "
        "call it"
    )
    seen = (
        f"{len(answered):,} calls were answered, and each ran exactly once; {len(perhaps):,} calls "
        "were reported to their callers as possibly run, and none of these ran twice"
    )
    return [Row(done, seen)]


def wait_for_answers(callers: list[Caller], before: list[int]) -> None:
    """Wait until each caller has been answered some more."""
    pause = threading.Event()
    wanted = [(caller, count + 3) for caller, count in zip(callers, before, strict=True)]
    while any(len(caller.answered) < count for caller, count in wanted):
        for error in filter(None, (caller.error for caller in callers)):
            raise error
        pause.wait(0.002)
