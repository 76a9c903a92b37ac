"""Peers without the token, while a well-behaved client works."""

from __future__ import annotations

import os
import random
import re
import resource
import socket
import struct
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from bgpy import AuthError, NotRunning, token_create

from .target import (
    HOST,
    LIMIT_S,
    SLACK_BYTES,
    Target,
    Witness,
    is_refused,
    many_descriptors,
    reset,
)

PREAMBLE = b"bgpy\x01\x01\x00\x00"
PROTOCOL = (Path(__file__).parents[2] / "docs" / "spec" / "PROTOCOL.md").read_text()
NUMBERS = dict(re.findall(r"^\| `([A-Z_]+)` \| ([\d ]+) \|", PROTOCOL, re.MULTILINE))
HANDSHAKES_MAX = int(NUMBERS["HANDSHAKES_MAX"].replace(" ", ""))
HANDSHAKE_S = 10
MESSAGE = random.Random(1).randbytes(150)
FIRST = PREAMBLE + struct.pack("<H", len(MESSAGE)) + MESSAGE

HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n"
TLS = bytes.fromhex("1603010200010001fc0303") + random.Random(2).randbytes(506)

NOT_BGPY = {
    "http": HTTP,
    "tls": TLS,
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "almost": b"bgpx\x01\x01\x00\x00",
    "zeros": bytes(100_000),
    "suite of none": b"bgpy\x01\x00\x00\x00",
    "suite unknown": b"bgpy\x01\x04\x00\x00",
    "suite highest": b"bgpy\x01\xff\x00\x00",
    "reserved bits": b"bgpy\x01\x01\x00\x01",
    "length above the limit": PREAMBLE + struct.pack("<H", 2049),
    "length of all bits": PREAMBLE + b"\xff\xff" + bytes(65535),
    "length of nothing": PREAMBLE + b"\x00\x00",
    "message too short": PREAMBLE + b"\x01\x00\x00",
    "key of zeros": PREAMBLE + struct.pack("<H", 48) + bytes(48),
}


def test_what_is_no_handshake_is_refused_without_a_word(target: Target, way: str) -> None:
    with Witness(target):
        for what, sent in NOT_BGPY.items():
            for _ in range(20):
                with closing(target.connect(way)) as stream:
                    assert is_refused(stream, sent) == b"", what
    target.is_as_before()


def test_random_bytes(target: Target, way: str) -> None:
    seeded = random.Random(20_11)
    with Witness(target):
        for start in (b"", PREAMBLE, PREAMBLE + struct.pack("<H", 100)):
            for _ in range(300):
                # At least as much as is awaited, so that the server can tell.
                sent = start + seeded.randbytes(seeded.randint(2100, 5000))
                if start == PREAMBLE:
                    sent = start + struct.pack("<H", seeded.randint(0, 2048)) + sent
                with closing(target.connect(way)) as stream:
                    assert is_refused(stream, sent) == b""
    target.is_as_before()


def test_nothing_is_in_the_clear_on_tcp(target: Target) -> None:
    sent = FIRST.replace(PREAMBLE, b"bgpy\x01\x03\x00\x00")
    with closing(target.connect("tcp")) as stream:
        assert is_refused(stream, sent) == b""
    target.is_as_before()


def test_another_version_is_told_this_one(target: Target, way: str) -> None:
    with Witness(target):
        for version in (0, 2, 9, 255):
            for rest in (b"", FIRST[8:], bytes(3000)):
                sent = b"bgpy" + bytes([version, 1, 7, 7]) + rest
                with closing(target.connect(way)) as stream:
                    assert is_refused(stream, sent) == PREAMBLE
    target.is_as_before()


def test_a_handshake_that_stops_or_drips_is_ended_in_time(target: Target) -> None:
    with ExitStack() as stack:
        stack.enter_context(Witness(target))
        began = time.monotonic()
        silent = [
            stack.enter_context(closing(target.connect(way)))
            for way in ("tcp", "unix")
            for _ in range(10)
        ]
        for number, stream in enumerate(silent):
            stream.sendall(FIRST[: [0, 1, 3, 4, 7, 8, 9, 10, 50, len(FIRST) - 1][number % 10]])
        dripping = stack.enter_context(closing(target.connect("tcp")))
        dripping.settimeout(HANDSHAKE_S / 20)
        assert drip(dripping) == b""
        for stream in silent:
            assert is_refused(stream, b"") == b""
        # Counted from the accept, whatever comes meanwhile.
        assert time.monotonic() - began < HANDSHAKE_S + LIMIT_S / 2
    target.is_as_before()


def drip(stream: socket.socket) -> bytes | None:
    """Send a first message byte by byte, until the server says or ends something."""
    for byte in FIRST[:-1]:
        try:
            stream.sendall(bytes([byte]))
            return stream.recv(1)
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return b""
    return None


def test_a_peer_that_leaves_after_a_few_bytes_is_noticed_at_once(target: Target, way: str) -> None:
    with Witness(target):
        for number in range(2000):
            with closing(target.connect(way)) as stream:
                stream.sendall(FIRST[: number % 12])
    # Long before their time for the handshake is over.
    target.is_as_before(HANDSHAKE_S / 2)


def test_resets_at_any_point(target: Target, way: str) -> None:
    with Witness(target):
        for number in range(1000):
            stream = target.connect(way)
            stream.sendall(FIRST[: number % len(FIRST)])
            reset(stream)
    target.is_as_before(HANDSHAKE_S / 2)


def record_first_message(target: Target) -> bytes:
    """Return what a client that knows the token says first."""
    with closing(socket.create_server((HOST, 0))) as listener:
        recorded = bytearray()

        def record() -> None:
            # Nobody is there when it is tried again.
            with closing(listener.accept()[0]) as stream, closing(listener):
                stream.settimeout(LIMIT_S)
                recorded.extend(stream.recv(4096))

        recorder = threading.Thread(target=record)
        recorder.start()
        client = type(target.looker)(HOST, listener.getsockname()[1], token=target.token)
        with pytest.raises(NotRunning):
            client.ping(timeout=LIMIT_S)
        recorder.join()
    assert recorded.startswith(PREAMBLE)
    return bytes(recorded)


def test_a_recorded_message_opens_nothing(target: Target, way: str) -> None:
    recorded = record_first_message(target)
    confirmations = [b"\x10\x00" + bytes(16), b"\x00\x00", recorded, random.Random(3).randbytes(99)]
    with Witness(target):
        for confirmation in confirmations:
            once = record_first_message(target)
            with closing(target.connect(way)) as stream:
                stream.sendall(once)
                assert stream.recv(4096).startswith(PREAMBLE)
                # What it answers is of no use without the token.
                assert is_refused(stream, confirmation) == b""
            for _ in range(50):
                with closing(target.connect(way)) as stream:
                    assert is_refused(stream, once) == b""
    target.settle_clients(1)
    target.is_as_before()


def test_ten_thousand_wrong_tokens(target: Target, way: str) -> None:
    seeded = random.Random(4)
    with Witness(target):
        for _ in range(10_000):
            message = seeded.randbytes(150)
            with closing(target.connect(way)) as stream:
                sent = PREAMBLE + struct.pack("<H", len(message)) + message
                assert is_refused(stream, sent) == b""
        for _ in range(50):
            stranger = target.client(token_create())
            with pytest.raises(AuthError, match="did not accept the token"):
                stranger.ping(timeout=LIMIT_S)
    target.is_as_before()


def test_thousands_of_silent_connections(target: Target, way: str) -> None:
    with ExitStack() as stack:
        count = stack.enter_context(many_descriptors(5000))
        assert count > HANDSHAKES_MAX
        stack.enter_context(Witness(target))
        for _ in range(count):
            stack.callback(reset, target.connect(way))
        # The oldest ones had to go, and the server holds no more than it wants to.
        target.looker.ping(timeout=LIMIT_S)
        # Some more for the clients that come and go.
        assert target.count_descriptors() < target.descriptors + HANDSHAKES_MAX + 20
        assert target.resident_bytes() < target.bytes + 2 * SLACK_BYTES
        with target.client() as late:
            assert late.call("late", timeout=LIMIT_S) == "late"
    target.is_as_before()


def test_a_server_out_of_descriptors_serves_those_it_has(target: Target) -> None:
    soft, hard = resource.prlimit(target.server.pid, resource.RLIMIT_NOFILE)
    steady = target.client()
    steady.ping()
    few = target.count_descriptors() + 8
    with ExitStack() as stack:
        resource.prlimit(target.server.pid, resource.RLIMIT_NOFILE, (few, hard))
        for _ in range(30):
            stack.callback(reset, target.connect("tcp"))
        for number in range(2000):
            assert steady.call(number, timeout=LIMIT_S) == number
        # The limit is one on numbers, and the wake-up descriptor has a high one.
        assert target.count_descriptors(below=few) <= few
        # The silent ones lose their place to those behind them, one after the other.
        with target.client() as late:
            assert late.call("late", timeout=LIMIT_S) == "late"
    steady.close()
    resource.prlimit(target.server.pid, resource.RLIMIT_NOFILE, (soft, hard))
    target.is_as_before()


def test_all_at_once(target: Target) -> None:
    def attack(way: str, number: int) -> None:
        seeded = random.Random(number)
        for _ in range(300):
            stream = target.connect(way)
            sent = seeded.choice(list(NOT_BGPY.values()))
            with suppress(ConnectionResetError, BrokenPipeError):
                stream.sendall(sent[: seeded.randrange(len(sent) + 1)])
            (reset if seeded.random() < 0.5 else socket.socket.close)(stream)

    threads = [
        threading.Thread(target=attack, args=(way, number))
        for number, way in enumerate(("tcp", "unix", "tcp", "unix"))
    ]
    with Witness(target):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    target.is_as_before()
    assert os.path.getsize(target.server.log_file) < 10 << 20
