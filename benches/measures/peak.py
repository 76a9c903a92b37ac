"""The most memory that a large array takes on its way, above what is taken without it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bgpy
import bgpy_server
import shelf_tasks
from result import Goal, Result, Scale, Table
from workspace import Placement, Workspace, apart, deadline

ITEMS, ITEM_BYTES = 125_000_000, 8
BYTES = ITEMS * ITEM_BYTES
GB = 1e9
GB_MAX = 1.05
UNIX, TCP = "same host", "TCP encrypted"
ARGUMENT, RESPONSE = "argument", "response"
LIMIT_S = 120.0


@dataclass
class Peak:
    """The most that both sides took above what they took before, in GB."""

    receiver: float
    sender: float


class Process:
    """A process whose memory is looked at."""

    def __init__(self, pid: int) -> None:
        self.directory = Path("/proc", str(pid))
        # The peak is set back to what is taken now.
        (self.directory / "clear_refs").write_text("5")
        self.before = self.value("VmRSS")

    def above(self) -> float:
        """Return how much more it took at most since then, in GB."""
        return (self.value("VmHWM") - self.before) / GB

    def value(self, name: str) -> int:
        """Return a size of the process in bytes."""
        text = (self.directory / "status").read_text()
        return int(re.search(rf"^{name}:\s*(\d+) kB$", text, re.MULTILINE)[1]) * 1024


def run(scale: Scale) -> Result:
    """Look at both directions and both kinds of connection, each once in new processes."""
    table = Table(
        "Peak memory of an array of 1 GB",
        ["sent as", "receiver, GB", "sender, GB"],
        "The increase of each process's peak resident memory (VmHWM) while a NumPy array of 1 GB "
        "was sent. The receiver has to hold the array itself: 1 GB.",
    )
    result = Result([table])
    for direction, look in [(ARGUMENT, argument), (RESPONSE, response)]:
        receivers = {}
        for kind in (UNIX, TCP):
            name = f"{direction}, {kind}"
            try:
                peak = apart(looked, scale, kind, look)
            except Exception as error:
                table.fail(name, error)
                continue
            table.add(name, f"{peak.receiver:.2f}", f"{peak.sender:.2f}")
            receivers[kind] = peak.receiver
        goal = Goal(
            f"peak memory of the receiver of an array of 1 GB, {direction}",
            f"≤ {GB_MAX:g} GB above idle",
            floor="the array itself: 1 GB",
        )
        result.goals.append(goal)
        if receivers:
            goal.measured = ", ".join(f"{kind} {peak:.2f} GB" for kind, peak in receivers.items())
        if len(receivers) == len((UNIX, TCP)):
            goal.met = max(receivers.values()) <= GB_MAX
    return result


def looked(scale: Scale, kind: str, look: Callable[[int, bgpy.Client], Peak]) -> Peak:
    """Start a server and look at it and at this process, which is its client."""
    import numpy as np

    with Workspace(scale.place(Placement.FREE)) as workspace, deadline(LIMIT_S):
        server = bgpy_server.start(workspace)
        tcp = kind == TCP
        by = bgpy_server.by_tcp(workspace, server) if tcp else bgpy_server.same_host(server)
        with by as client:
            client.initialize(shelf_tasks.init_task, shelf_tasks.exec_task, shelf_tasks.exit_task)
            # Both sides import what they need for arrays.
            client.call({"work": "hold", "thing": np.ones(1)})
            client.call({"work": "held"})
            return look(server.pid, client)


def argument(pid: int, client: bgpy.Client) -> Peak:
    """Send an array to the server."""
    import numpy as np

    array = np.ones(ITEMS)
    sender, receiver = Process(os.getpid()), Process(pid)
    if client.call({"work": "size", "thing": array}) != ITEMS:
        raise ValueError("the array that arrived differs")
    return Peak(receiver.above(), sender.above())


def response(pid: int, client: bgpy.Client) -> Peak:
    """Fetch an array that the server has made."""
    client.call({"work": "make", "thing": ITEMS})
    sender, receiver = Process(pid), Process(os.getpid())
    if len(client.call({"work": "held"})) != ITEMS:
        raise ValueError("the array that arrived differs")
    return Peak(receiver.above(), sender.above())
