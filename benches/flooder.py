"""Floods a port from one process: ``flooder.py PORT CONCURRENT COUNT``.

So many first messages come as lines of hex on standard input. Each connection sends one of them,
waits for an answer or the end of the stream, and makes room for the next. It ends with standard
input, and prints how many connections it has made.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import struct
import sys

HOST = "127.0.0.1"
RESET = struct.pack("ii", 1, 0)


class Flood:
    """So many connections under way at any time."""

    def __init__(self, port: int, concurrent: int, messages: list[bytes]) -> None:
        self.port, self.concurrent = port, concurrent
        self.messages = itertools.cycle(messages)
        self.poller = select.epoll()
        self.open: dict[int, socket.socket] = {}
        self.made = 0

    def run(self) -> None:
        """Flood until nobody wants it any more."""
        self.poller.register(sys.stdin.fileno(), select.EPOLLIN)
        while True:
            while len(self.open) < self.concurrent:
                self.begin()
            for descriptor, event in self.poller.poll(0.1):
                if descriptor == sys.stdin.fileno():
                    return
                self.go_on(descriptor, event)

    def begin(self) -> None:
        """Open one more."""
        stream = socket.socket()
        stream.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            stream.connect((HOST, self.port))
        self.open[stream.fileno()] = stream
        self.poller.register(stream, select.EPOLLOUT)
        self.made += 1

    def go_on(self, descriptor: int, event: int) -> None:
        """Say something, or leave."""
        stream = self.open[descriptor]
        if event & select.EPOLLOUT and not event & (select.EPOLLERR | select.EPOLLHUP):
            with contextlib.suppress(OSError):
                stream.send(next(self.messages))
                self.poller.modify(stream, select.EPOLLIN)
                return
        self.poller.unregister(descriptor)
        del self.open[descriptor]
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        stream.close()


def main() -> None:
    """Read the messages, and flood."""
    port, concurrent, count = map(int, sys.argv[1:])
    # Unbuffered, so that nothing but the end is left to come.
    lines = [sys.stdin.buffer.raw.readline() for _ in range(count)]
    flood = Flood(port, concurrent, [bytes.fromhex(line.decode()) for line in lines])
    flood.run()
    print(flood.made)


if __name__ == "__main__":
    main()
