"""What it takes to encode and decode a small dict, beside pickle in its place."""

from __future__ import annotations

import pickle
import statistics
from collections.abc import Callable
from time import perf_counter_ns

import bgpy_server
from bgpy.server import respond
from result import Goal, Result, Scale, Table
from workspace import Placement, Workspace

# As it may come as the arguments of a call.
SMALL = {"name": "layer4", "step": 1200, "rate": 0.001, "tags": ["a", "b"], "shape": (3, 224, 224)}
WARM_UP = 300
PICKLE, CODEC = "pickle: dumps and loads", "bgpy: encode and decode"


def echo(client_socket: object, state: object, args: object) -> None:
    """Respond with the arguments; a pickle is opened and made again."""
    if type(args) is bytes:
        args = pickle.dumps(pickle.loads(args), 5)
    respond(client_socket, args)


def run(scale: Scale) -> Result:
    """Compare calls that take the dict there and back with calls that take nothing."""
    starts, rounds, calls = scale.pick(7, 2), scale.pick(9, 3), scale.pick(2000, 500)
    seen: dict[str, list[float]] = {PICKLE: [], CODEC: []}
    for _ in range(starts):
        with Workspace(scale.place(Placement.ONE)) as workspace:
            server = bgpy_server.start(workspace)
            with bgpy_server.same_host(server) as client:
                client.initialize(dict, echo, print)
                ways: dict[str, Callable[[], object]] = {
                    PICKLE: lambda: pickle.loads(client.call(pickle.dumps(SMALL, 5))),
                    CODEC: lambda: client.call(SMALL),
                }
                for way in ways.values():
                    typical(way, WARM_UP)
                for _ in range(rounds):
                    nothing = typical(lambda: client.call(None), calls)
                    for name, way in ways.items():
                        # Arguments and response: twice there, twice back.
                        seen[name].append((typical(way, calls) - nothing) / 2)
    medians = {name: statistics.median(times) for name, times in seen.items()}
    ratio = medians[CODEC] / medians[PICKLE]
    table = Table(
        "Small dict, encode and decode",
        ["work", "median, µs", "rounds, µs", "x pickle"],
        f"`{SMALL}`. Half of the additional time of a call that sends it there and back, compared "
        "with a call that sends `None`; the same for sides that pickle it and send the bytes. "
        f"{starts} starts of all processes on one CPU, each with {rounds} rounds of {calls} calls.",
    )
    for name, times in seen.items():
        spread = f"{min(times) / 1e3:.2f} to {max(times) / 1e3:.2f}"
        table.add(
            name, f"{medians[name] / 1e3:.2f}", spread, f"{medians[name] / medians[PICKLE]:.2f}"
        )
    goal = Goal("small dict, encode and decode", "faster than `pickle.dumps` and `loads`")
    goal.measured, goal.met = f"{ratio:.2f} x", ratio < 1
    goal.floor = f"pickle: {medians[PICKLE] / 1e3:.2f} µs"
    return Result([table], [goal])


def typical(call: Callable[[], object], calls: int) -> float:
    """Return the nanoseconds of a call, as a median."""
    times = []
    for _ in range(calls):
        start = perf_counter_ns()
        call()
        times.append(perf_counter_ns() - start)
    return statistics.median(times)
