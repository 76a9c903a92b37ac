"""Calls of clients with the token while strangers flood the port."""

from __future__ import annotations

import subprocess
import sys
from time import monotonic, perf_counter_ns

import bgpy
import bgpy_server
from load_tasks import exec_task, exit_task, init_task
from trials import Row, Scale, percentile
from trials.strangers import record_first_message
from workspace import BENCHES, Placement, Workspace

CONCURRENT = 64
HELD = 2000
GARBAGE = b"GET / HTTP/1.1\r\n\r\n"


def run(scale: Scale) -> list[Row]:
    """Call under each kind of flood, and in quiet before each: a machine is not always as fast."""
    seconds = max(1.0, 7 * scale.factor)
    with Workspace(Placement.FREE) as workspace:
        server = bgpy_server.start(workspace)
        with bgpy_server.same_host(server) as unix, bgpy_server.by_tcp(workspace, server) as tcp:
            unix.initialize(init_task, exec_task, exit_task)
            kinds = {
                "garbage": GARBAGE,
                "a wrong token": record_first_message(workspace, bgpy.token_create()),
                "a replayed first message": record_first_message(workspace, server.token),
            }
            clients = {"Unix": unix, "TCP": tcp}
            replayed = kinds["a replayed first message"]
            other = bgpy_server.start(workspace)
            floods = {kind: (server, message, CONCURRENT) for kind, message in kinds.items()}
            floods[f"connections that are held, {HELD:,} at once"] = (server, replayed, HELD)
            floods["the same, to another server"] = (other, replayed, HELD)
            quiet: dict[str, list[int]] = {}
            rows = []
            for kind, (flooded, message, concurrent) in floods.items():
                for what, times in measured(clients, workspace, server, seconds).items():
                    quiet[what] = sorted(quiet.get(what, []) + times)
                with Flooder(workspace, flooded.port, message, concurrent) as flooder:
                    seen = measured(clients, workspace, server, seconds)
                rate = flooder.made / flooder.seconds
                done = f"a flood of {kind}, {rate:,.0f} connections a second from one process"
                rows.append(Row(done, told(seen)))
            assert unix.status()["clients"] == 2
            bgpy_server.stop(other)
    return [Row(f"no flood, {len(floods) * seconds:.0f} s each", told(quiet)), *rows]


class Flooder:
    """A process that floods as long as this is entered."""

    def __init__(self, workspace: Workspace, port: int, message: bytes, concurrent: int) -> None:
        ends = "1" if concurrent == CONCURRENT else "0"
        words = [str(port), str(concurrent), "1", ends]
        self.process = workspace.run([sys.executable, BENCHES / "flooder.py", *words])
        self.message, self.made, self.seconds = message, 0, 0.0

    def __enter__(self) -> Flooder:
        self.process.stdin.write(f"{self.message.hex()}\n")
        self.process.stdin.flush()
        self.began = monotonic()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.stdin.close()
        self.made = int(self.process.stdout.readline())
        self.seconds = monotonic() - self.began
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        assert self.made > 0


def measured(
    clients: dict[str, bgpy.Client], workspace: Workspace, server: bgpy.Server, seconds: float
) -> dict[str, list[int]]:
    """Return the sorted times of calls by each way, and of new clients."""
    times = {f"call over {way}": timed(client.call, seconds) for way, client in clients.items()}

    def come(number: int) -> int:
        with bgpy.Client(bgpy_server.HOST, server.port, server.token) as client:
            return client.call(number, 60)

    times["new client over Unix"] = timed(come, seconds)
    with bgpy_server.out_of_sight(workspace):
        times["new client over TCP"] = timed(come, seconds)
    return times


def timed(call, seconds: float) -> list[int]:
    """Call for some time, and return how long each call took."""
    times, end = [], monotonic() + seconds
    while monotonic() < end:
        began = perf_counter_ns()
        assert call(len(times)) == len(times)
        times.append(perf_counter_ns() - began)
    return sorted(times)


def told(seen: dict[str, list[int]]) -> str:
    """Return the middle and the slow times."""
    texts = (
        f"{what}: p50 {percentile(times, 0.5):,.0f} µs, p99 {percentile(times, 0.99):,.0f} µs"
        for what, times in seen.items()
    )
    return "; ".join(texts)
