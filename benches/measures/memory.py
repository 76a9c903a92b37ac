"""The memory of an idle server that has its tasks, beside that of a bare interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys
from dataclasses import dataclass, field

import psutil

import bgpy_server
from bgpy.example.tasks import exec_task, exit_task, init_task
from result import Goal, Result, Scale, Table
from workspace import Placement, Workspace

MIB = 1 << 20
MORE_MB_MAX = 6.0
BARE = "bare interpreter waiting for input"
IMPORTED = "the same after `import bgpy`"
SERVER = "bgpy server with the example's tasks"
SUPERVISOR = "its supervisor"


@dataclass
class Sizes:
    """The memory of processes of one kind, in bytes."""

    resident: list[int] = field(default_factory=list)
    proportional: list[int] = field(default_factory=list)
    own: list[int] = field(default_factory=list)

    def add(self, pid: int) -> None:
        """Add what a process takes."""
        memory = psutil.Process(pid).memory_full_info()
        self.resident.append(memory.rss)
        self.proportional.append(memory.pss)
        self.own.append(memory.uss)

    def medians(self) -> tuple[float, float, float]:
        """Return what is resident, what of that is proportional, and what is shared with nobody."""
        resident, proportional, own = map(
            statistics.median, (self.resident, self.proportional, self.own)
        )
        return resident / MIB, proportional / MIB, own / MIB


def run(scale: Scale) -> Result:
    """Look at a few processes of each kind, one after the other."""
    count = scale.pick(7, 3)
    sizes = {name: Sizes() for name in (BARE, IMPORTED, SERVER, SUPERVISOR)}
    with Workspace(scale.place(Placement.FREE)) as workspace:
        for _ in range(count):
            for name, program in [(BARE, ""), (IMPORTED, "import bgpy;")]:
                program += "print(flush=True); input()"
                process = workspace.run([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
                process.stdout.readline()
                sizes[name].add(process.pid)
                process.communicate("\n")
            server = bgpy_server.start(workspace)
            with bgpy_server.same_host(server) as client:
                client.initialize(init_task, exec_task, exit_task)
            sizes[SERVER].add(server.pid)
            sizes[SUPERVISOR].add(psutil.Process(server.pid).ppid())
            bgpy_server.stop(server)
    table = Table(
        "Memory of an idle server",
        ["process", "RSS, MiB", "more, MiB", "PSS, MiB", "unshared, MiB"],
        f"Medians of {count} processes each. PSS divides a shared page among the processes that "
        "map it, and depends on what else runs; unshared memory is freed when the process ends.",
    )
    medians = {name: size.medians() for name, size in sizes.items()}
    bare, _, _ = medians[BARE]
    for name, (rss, pss, own) in medians.items():
        more = "-" if name == SUPERVISOR else f"{rss - bare:.1f}"
        table.add(name, f"{rss:.1f}", more, f"{pss:.1f}", f"{own:.1f}")
    server, supervisor = medians[SERVER][0] - bare, medians[SUPERVISOR][2]
    more = (server + supervisor) * MIB / 1e6
    imported = (medians[IMPORTED][0] - bare) * MIB / 1e6
    floor = (
        f"`import bgpy` alone: + {imported:.1f} MB; the server alone: + {server * MIB / 1e6:.1f} MB"
    )
    wanted = f"bare Python + {MORE_MB_MAX:g} MB (RSS)"
    goal = Goal(
        "idle server and its supervisor", wanted, f"+ {more:.1f} MB", more <= MORE_MB_MAX, floor
    )
    return Result([table], [goal])
