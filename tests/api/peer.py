"""Peers that speak the protocol from its specification and send what bgpy never would.

They use a Unix socket, where frames follow the handshake in the clear.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from .noise import BASE, Symmetric, aes_gcm, x25519

PREAMBLE = b"bgpy\x01\x03\x00\x00"
EXEC, ACK, RESPONSE, ERROR, END = 0x02, 0x41, 0x42, 0x43, 0x44
FIRST, LAST = 0x01, 0x01
ABOUT = {"bgpy": "1.0.0", "python": None, "pid": 1, "message_bytes_max": 1 << 30}
LIMIT_S = 20


class Frame(NamedTuple):
    """A frame without buffers."""

    kind: int
    flags: int
    call: int
    data: bytes


class Peer:
    """One side of a connection after the handshake."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        stream.settimeout(LIMIT_S)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def send(
        self, kind: int, flags: int, call: int, data: bytes, buffers: Sequence[bytes] = ()
    ) -> None:
        """Send a frame."""
        head = struct.pack("<BBHIQQ", kind, flags, len(buffers), 0, call, len(data))
        table = b"".join(struct.pack("<Q", len(buffer)) for buffer in buffers)
        self.stream.sendall(head + table + data + b"".join(buffers))

    def receive(self) -> Frame:
        """Receive a frame."""
        kind, flags, buffers, _, call, length = struct.unpack("<BBHIQQ", self.take(24))
        assert buffers == 0
        return Frame(kind, flags, call, self.take(length))

    def answer(self) -> Frame:
        """Receive a frame that is more than an acknowledgement."""
        while (frame := self.receive()).kind == ACK:
            pass
        return frame

    def take(self, length: int) -> bytes:
        """Receive so many bytes."""
        taken = b""
        while len(taken) < length:
            more = self.stream.recv(length - len(taken))
            assert more, "the other side has closed the connection"
            taken += more
        return taken

    def take_message(self) -> bytes:
        """Receive a message of the handshake."""
        return self.take(*struct.unpack("<H", self.take(2)))


def connect(path: str, token: str) -> Peer:
    """Become a client of the server behind a Unix socket."""
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    peer = Peer(stream)
    noise, secret, public = begin(token)
    noise.mix_public(public)
    hello = pack_map(client=os.urandom(16), **ABOUT)
    stream.sendall(PREAMBLE + prefixed(public + noise.seal(hello)))
    assert peer.take(8) == PREAMBLE
    answer = peer.take_message()
    noise.mix_public(answer[:32])
    noise.mix_key(x25519(secret, answer[:32]))
    noise.open(answer[32:])
    up, _ = noise.derive(b"", 2)
    stream.sendall(prefixed(b"".join(aes_gcm(up, 0, b"", b"", seal=True))))
    return peer


def accept(listener: socket.socket, token: str) -> Peer:
    """Become the server of the next client on a Unix socket."""
    listener.settimeout(LIMIT_S)
    stream, _ = listener.accept()
    peer = Peer(stream)
    noise, secret, public = begin(token)
    assert peer.take(8) == PREAMBLE
    message = peer.take_message()
    noise.mix_public(message[:32])
    noise.open(message[32:])
    noise.mix_public(public)
    noise.mix_key(x25519(secret, message[:32]))
    hello = pack_map(instance=os.urandom(16), generation=0, **ABOUT)
    stream.sendall(PREAMBLE + prefixed(public + noise.seal(hello)))
    # The confirmation: this peer trusts everybody.
    peer.take_message()
    return peer


def begin(token: str) -> tuple[Symmetric, bytes, bytes]:
    """Begin a handshake with a generated token."""
    noise = Symmetric(PREAMBLE)
    noise.mix_psk(hashlib.sha256(b"bgpy 1 token to psk" + token.encode()).digest())
    secret = os.urandom(32)
    return noise, secret, x25519(secret, BASE)


def prefixed(message: bytes) -> bytes:
    """Put the length in front."""
    return struct.pack("<H", len(message)) + message


def pack_map(**pairs: object) -> bytes:
    """Write a map with text keys."""
    parts = [bytes([0x80 | len(pairs)])]
    for key, value in pairs.items():
        parts += [pack(key), pack(value)]
    return b"".join(parts)


def pack(value: object) -> bytes:
    """Write a value that is small."""
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        return b"\xd2" + struct.pack(">i", value)
    if isinstance(value, str):
        return b"\xda" + struct.pack(">H", len(value.encode())) + value.encode()
    assert isinstance(value, bytes)
    return b"\xc5" + struct.pack(">H", len(value)) + value


def pack_pickle(pickled: bytes) -> bytes:
    """Write the extension that holds a pickle."""
    return b"\xc8" + struct.pack(">Hb", len(pickled), 3) + pickled
