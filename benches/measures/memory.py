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
BARE = "bare interpreter that waits for a line"
IMPORTED = "the same after `import bgpy`"
SERVER = "bgpy server with the example's tasks"


@dataclass
class Sizes:
    """The memory of processes of one kind, in bytes."""

    resident: list[int] = field(default_factory=list)
    proportional: list[int] = field(default_factory=list)

    def add(self, pid: int) -> None:
        """Add what a process takes."""
        memory = psutil.Process(pid).memory_full_info()
        self.resident.append(memory.rss)
        self.proportional.append(memory.pss)


def run(scale: Scale) -> Result:
    """Look at a few processes of each kind, one after the other."""
    count = scale.pick(7, 3)
    sizes = {name: Sizes() for name in (BARE, IMPORTED, SERVER)}
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
            bgpy_server.stop(server)
    table = Table(
        "Memory of an idle server",
        ["process", "RSS, MiB", "more, MiB", "PSS, MiB", "more, MiB"],
        f"Medians of {count} processes each. PSS counts a page that several processes share in "
        "parts, and depends on what else runs.",
    )
    medians = {
        name: (statistics.median(size.resident) / MIB, statistics.median(size.proportional) / MIB)
        for name, size in sizes.items()
    }
    resident, proportional = medians[BARE]
    for name, (rss, pss) in medians.items():
        more = f"{rss - resident:.1f}", f"{pss - proportional:.1f}"
        table.add(name, f"{rss:.1f}", more[0], f"{pss:.1f}", more[1])
    more = (medians[SERVER][0] - resident) * MIB / 1e6
    floor = f"`import bgpy` alone: + {(medians[IMPORTED][0] - resident) * MIB / 1e6:.1f} MB"
    wanted = f"bare Python + {MORE_MB_MAX:g} MB (RSS)"
    goal = Goal("idle server", wanted, f"+ {more:.1f} MB", more <= MORE_MB_MAX, floor)
    return Result([table], [goal])
