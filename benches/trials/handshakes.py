"""Handshakes that something in between cuts at any byte."""

from __future__ import annotations

import contextlib
import random
import socket
import threading

import bgpy
import bgpy_server
from load_tasks import exec_task, exit_task, init_task
from trials import Row, Scale
from workspace import Placement, Workspace


class Cutter:
    """Stands between clients and a server, and cuts connections after so many bytes."""

    def __init__(self, port: int) -> None:
        self.behind = port
        self.listener = socket.create_server((bgpy_server.HOST, 0))
        self.port = self.listener.getsockname()[1]
        # Bytes after which the next connections are cut; none are passed on to their end.
        self.cuts: list[int] = []
        self.cut = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        """Pass each connection on."""
        with contextlib.suppress(OSError):
            while True:
                front = self.listener.accept()[0]
                left = self.cuts.pop(0) if self.cuts else None
                threading.Thread(target=self.carry, args=(front, left), daemon=True).start()

    def carry(self, front: socket.socket, left: int | None) -> None:
        """Pass bytes on in both directions, so many in all."""
        behind = socket.create_connection((bgpy_server.HOST, self.behind))
        budget = Budget(left)
        ways = [
            threading.Thread(target=budget.carry, args=way, daemon=True)
            for way in ((front, behind), (behind, front))
        ]
        for way in ways:
            way.start()
        for way in ways:
            way.join()
        self.cut += budget.is_spent
        front.close()
        behind.close()


class Budget:
    """Bytes that a connection may still carry."""

    def __init__(self, left: int | None) -> None:
        self.left, self.lock, self.is_spent = left, threading.Lock(), False

    def carry(self, source: socket.socket, drain: socket.socket) -> None:
        """Pass on what there is, until the bytes are spent or one side is gone."""
        with contextlib.suppress(OSError):
            while piece := source.recv(4096):
                with self.lock:
                    if self.left is not None:
                        piece = piece[: self.left]
                        self.left -= len(piece)
                        self.is_spent = self.left == 0
                    drain.sendall(piece)
                    if self.is_spent:
                        break
        for end in (source, drain):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def run(scale: Scale) -> list[Row]:
    """Cut the first handshakes of each client: it tries again, and its call is answered."""
    count, cut = scale.count(100, 10), 0
    seeded = random.Random(11)
    with Workspace(Placement.FREE) as workspace:
        server = bgpy_server.start(workspace)
        with bgpy_server.same_host(server) as client:
            client.initialize(init_task, exec_task, exit_task)
        cutter = Cutter(server.port)
        with bgpy_server.out_of_sight(workspace):
            for number in range(count):
                # Shorter than what both sides say before the first call.
                cutter.cuts = [1 + seeded.randrange(300) for _ in range(seeded.choice((1, 2)))]
                cut += len(cutter.cuts)
                with bgpy.Client(bgpy_server.HOST, cutter.port, server.token) as client:
                    assert client.call(number, timeout=30) == number
        cutter.listener.close()
    assert cutter.cut == cut
    seen = "each was retried, no client took it for a wrong token, and every call was answered"
    return [
        Row(
            f"{cut:,} handshakes of {count:,} clients, cut by a proxy at a random byte",
            seen,
        )
    ]
