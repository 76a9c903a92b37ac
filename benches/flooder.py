"""Floods a port from one process: ``flooder.py PORT CONCURRENT COUNT ENDS``.

So many first messages come as lines of hex on standard input. Each connection sends one of them,
waits for the end of the stream, or also for an answer if it `ENDS`, and makes room for the next.
It ends with standard input, and prints how many connections it has made.
"""

from __future__ import annotations

import contextlib
import itertools
import resource
import select
import socket
import struct
import sys

HOST = "127.0.0.1"
RESET = struct.pack("ii", 1, 0)


class Flood:
    """So many connections under way at any time."""

    def __init__(self, port: int, concurrent: int, messages: list[bytes], ends: bool) -> None:
        self.port, self.concurrent, self.ends = port, concurrent, ends
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
        if not self.ends and is_open(stream):
            return
        self.poller.unregister(descriptor)
        del self.open[descriptor]
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        stream.close()


def is_open(stream: socket.socket) -> bool:
    """Read an answer; return whether the stream goes on."""
    try:
        return bool(stream.recv(4096))
    except OSError:
        return False


def main() -> None:
    """Read the messages, and flood."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    port, concurrent, count, ends = map(int, sys.argv[1:])
    # Unbuffered, so that nothing but the end is left to come.
    lines = [sys.stdin.buffer.raw.readline() for _ in range(count)]
    flood = Flood(port, concurrent, [bytes.fromhex(line.decode()) for line in lines], bool(ends))
    flood.run()
    print(flood.made)


if __name__ == "__main__":
    main()
