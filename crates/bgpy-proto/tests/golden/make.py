"""Writes the golden vectors from docs/spec/PROTOCOL.md, without any code of bgpy.

It is a second reading of the specification: Noise (`noise.py`) from `hashlib` and `cryptography`,
MessagePack (for one, of `maps.py`) from `msgpack`, Argon2id from `argon2-cffi`. The tests need only
its output; run it again (`python make.py`) when the specification changes.
"""

import hashlib
import struct
from pathlib import Path

import msgpack
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from maps import (
    ABORT_REPLIES,
    ABORTS,
    CLIENT_HELLO,
    CODES,
    DEBUG_REPLIES,
    DEBUG_REQUESTS,
    HEADS,
    JOBS,
    JOBS_REQUESTS,
    LOG_REPLIES,
    LOG_REQUESTS,
    METHODS,
    PROGRESS,
    SERVER_HELLO,
    STATES,
    failure,
    pack,
    status,
)
from noise import Symmetric, public, seal

SUITES = {"aesgcm": 1, "chachapoly": 2, "clear": 3}
CALLS = {"init": 0x01, "exec": 0x02, "exit": 0x03}
WANTS = {"ack": 0, "first": 1, "all": 2}


def preamble(suite, version=1):
    return b"bgpy" + bytes([version, suite, 0, 0])


def frame(kind, call, flags=0, seq=0, data=b"", buffers=()):
    """Encode a frame; a buffer is bytes, or the segment that it lies in and its length."""
    head = struct.pack("<BBHIQQ", kind, flags, len(buffers), seq, call, len(data))
    table = b"".join(struct.pack("<Q", entry(buffer)) for buffer in buffers)
    return head + table + data + b"".join(b for b in buffers if isinstance(b, bytes))


def entry(buffer):
    if isinstance(buffer, bytes):
        return len(buffer)
    segment, length = buffer
    return 1 << 63 | segment << 48 | length


def ext(kind, data):
    return pack(msgpack.ExtType(kind, data))


def big_int(value, length):
    return ext(1, value.to_bytes(length, "little", signed=True))


GENERATED = b"0123456789abcdefghijklmnopqrstuvwxyzABCDE-_"
CHOSEN = b"correct horse battery staple"
DOMAIN = b"bgpy 1 token to psk"


def psk(token):
    if token == GENERATED:
        return hashlib.sha256(DOMAIN + token).digest()
    return hash_secret_raw(
        token, DOMAIN, time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, type=Type.ID
    )


def prefixed(message):
    return struct.pack("<H", len(message)) + message


CLIENT_KEY, SERVER_KEY = bytes(range(32)), bytes(range(32, 64))


def handshake(suite):
    cipher = "ChaChaPoly" if suite == 2 else "AESGCM"
    client, server = map(X25519PrivateKey.from_private_bytes, (CLIENT_KEY, SERVER_KEY))
    noise = Symmetric(f"Noise_NNpsk0_25519_{cipher}_SHA256", preamble(suite))
    noise.mix_key_and_hash(psk(GENERATED))
    noise.mix_hash(public(client))
    noise.mix_key(public(client))
    first = public(client) + noise.encrypt_and_hash(CLIENT_HELLO)
    noise.mix_hash(public(server))
    noise.mix_key(public(server))
    shared = client.exchange(X25519PublicKey.from_public_bytes(public(server)))
    noise.mix_key(shared)
    answer = public(server) + noise.encrypt_and_hash(SERVER_HELLO)
    up, down = noise.hkdf(b"", 2)
    ping, pong = frame(0x05, 1), frame(0x45, 1)
    return {
        "first": preamble(suite) + prefixed(first),
        "answer": preamble(suite) + prefixed(answer),
        "confirmation": prefixed(seal(noise.aes, up, 0, b"")),
        "ping": ping if suite == 3 else prefixed(seal(noise.aes, up, 1, ping)),
        "pong": pong if suite == 3 else prefixed(seal(noise.aes, down, 0, pong)),
    }


def date(year, month, day):
    return struct.pack(">HBB", year, month, day)


def time(hour, minute, second, microsecond, fold=0):
    return struct.pack(">BBBBI", hour, minute, second, fold, microsecond)


ZONES = {
    "naive": b"",
    "UTC": b"\0" + struct.pack(">q", 0),
    "-01:30 named": b"\x01" + struct.pack(">q", -5_400_000_000) + b"home",
    "Europe/Berlin": b"\x02Europe/Berlin",
}


def codec():
    yield from {"nil": None, "false": False, "true": True}.items()
    edges = [
        0,
        2**7 - 1,
        2**7,
        2**8 - 1,
        2**8,
        2**16 - 1,
        2**16,
        2**32 - 1,
        2**32,
        2**63 - 1,
        2**63,
        2**64 - 1,
        -1,
        -(2**5),
        -(2**5) - 1,
        -(2**7),
        -(2**7) - 1,
        -(2**15),
        -(2**15) - 1,
        -(2**31),
        -(2**31) - 1,
        -(2**63),
    ]
    for edge in edges:
        yield f"int {edge}", edge
    yield "big-int 2^64", big_int(2**64, 9)
    yield "big-int -2^63-1", big_int(-(2**63) - 1, 9)
    yield "big-int 2^120", big_int(2**120, 16)
    yield "big-int 2^1000", big_int(2**1000, 126)
    for bits in [
        0x0,
        1 << 63,
        0x3FF8 << 48,
        0x7FF0 << 48,
        0xFFF0 << 48,
        0x7FF8 << 48,
        0x7FF0_0000_DEAD_BEEF,
        1,
    ]:
        yield f"float {bits:016x}", b"\xcb" + struct.pack(">Q", bits)
    yield "str grüße", "grüße"
    for length in [0, 1, 31, 32, 255, 256, 65535, 65536]:
        yield f"str {length}", "a" * length
    for length in [0, 1, 255, 256, 65535, 65536]:
        yield f"bytes {length}", b"b" * length
    for items in [0, 1, 15, 16, 65535, 65536]:
        yield f"list {items}", [None] * items
    # A map of equal keys is no dict, hence the head alone comes from `msgpack`.
    for pairs in [0, 1, 15, 16, 65535, 65536]:
        yield f"map {pairs}", msgpack.Packer().pack_map_header(pairs) + b"\xc2\xc3" * pairs
    for items in [0, 1, 2, 3, 255, 256, 65535, 65536]:
        yield f"tuple {items}", ext(2, b"\xc0" * items)
    for length in [0, 1, 2, 3, 4, 8, 16, 17, 255, 256, 65535, 65536]:
        yield f"pickle {length}", ext(3, b"p" * length)
    for length in [2, 3, 255]:
        yield f"code {length}", ext(4, b"\x03\x0d" + b"p" * (length - 2))
    for text in ["\ud800", "a\udfffb", "\ud83d\ude00ü"]:
        yield f"surrogates {ascii(text)[1:-1]}", ext(8, text.encode("utf-8", "surrogatepass"))
    for length in [0, 1, 255, 256, 65536]:
        yield f"bytearray {length}", ext(9, b"b" * length)
    for items in [0, 1, 3, 256]:
        yield f"set {items}", ext(10, b"\xc0" * items)
        yield f"frozenset {items}", ext(11, b"\xc0" * items)
    yield "complex 1.5 -0.0", ext(12, struct.pack(">dd", 1.5, -0.0))
    yield "date 0001-01-01", ext(13, date(1, 1, 1))
    yield "date 2024-02-29", ext(13, date(2024, 2, 29))
    noon = (12, 0, 0, 0)
    last = (23, 59, 59, 999_999)
    for name, zone in ZONES.items():
        yield f"time 12:00 {name}", ext(14, time(*noon) + zone)
        yield (
            f"datetime 9999-12-31 last fold {name}",
            ext(15, date(9999, 12, 31) + time(*last, fold=1) + zone),
        )
        if zone:
            yield f"zone {name}", ext(17, zone)
    yield "span -1", ext(16, struct.pack(">iII", -1, 86_399, 999_999))
    yield "span max", ext(16, struct.pack(">iII", 999_999_999, 0, 0))
    for number in ["0", "-1.10", "1E+1000", "Infinity", "-sNaN7"]:
        yield f"decimal {number}", ext(18, number.encode())
    yield "uuid", ext(19, bytes(range(16)))
    for kind in range(4):
        yield f"path {kind}", ext(20, bytes([kind]) + pack("/") + pack("tmp"))
    yield "path empty", ext(20, b"\0")
    yield "path surrogate", ext(20, b"\x01" + ext(8, b"\xed\xb3\xbf"))
    yield "member", ext(21, pack("colours") + pack("Box.Colour") + pack(3))
    yield "nested", b"\x81\xa1k\x92" + ext(2, b"\x01\x90") + pack(-1)


def frames():
    call = 0
    for kind, byte in CALLS.items():
        for want, flags in WANTS.items():
            call += 1
            yield f"{kind} {want}", frame(byte, call, flags, data=kind.encode())
    yield "exec two buffers", frame(0x02, 10, 2, data=b"data", buffers=[b"first", b"2nd"])
    yield "exec empty buffers", frame(0x02, 11, 2, buffers=[b"", b""])
    yield "cancel", frame(0x04, 11)
    yield "ping", frame(0x05, 12)
    yield "status", frame(0x06, 13)
    yield "log", frame(0x08, 14, data=pack(LOG_REQUESTS["last lines"]))
    yield "exec large buffer", frame(0x02, 15, 0, data=b"data", buffers=[b"buffer"])
    yield "server offer", frame(0x47, 0, seq=0x7FFF)
    yield "exec lent buffer", frame(0x02, 16, 0, data=b"data", buffers=[(0x7FFF, 6), b"2nd"])
    yield "debug", frame(0x09, 17, data=pack(DEBUG_REQUESTS["console"]))
    yield "exec head", frame(0x02, 18, 0x0A, data=headed("full", b"data"))
    yield "exec head alone", frame(0x02, 19, 0x09, data=headed("deadline", b""))
    yield "abort", frame(0x0C, 20, data=pack(ABORTS["one"]))
    yield "abort running", frame(0x0C, 21, data=pack(ABORTS["running"]))
    yield "methods", frame(0x0D, 22)
    yield "exec method", frame(0x02, 23, 0x0A, data=headed("method", b"data"))
    yield "exec job", frame(0x02, 24, 0x08, data=headed("job", b"data"))
    yield "exec awaited job", frame(0x02, 25, 0x09, data=headed("awaited job", b"\0"))
    yield "jobs", frame(0x0E, 26, data=pack(JOBS_REQUESTS["one"]))
    yield "ack", frame(0x41, 1)
    yield "response", frame(0x42, 3, 0, 0, b"one")
    yield "response error", frame(0x42, 3, 2, 1, b"two", [b"buffer"])
    outside = b"\x93" + b"".join(ext(5, bytes([kind])) for kind in range(3))
    texts = ["grüße".encode(), b"bytes", b""]
    yield "response outside", frame(0x42, 3, 0, 2, outside, texts)
    yield "client offer", frame(0x07, 0, seq=0x7FFF)
    yield "response last", frame(0x42, 2, 1, 0, b"only")
    yield "response error last", frame(0x42, 5, 3, 0, b"only")
    yield "error", frame(0x43, 6, data=failure("stopping", "the server ends"))
    yield "end", frame(0x44, 9)
    yield "end already", frame(0x44, 3, 1)
    yield "pong", frame(0x45, 12)
    yield "status reply", frame(0x46, 13, data=status("READY", None))
    yield "log reply", frame(0x48, 14, data=pack(LOG_REPLIES["piece"]))
    yield "debug reply", frame(0x4A, 17, data=pack(DEBUG_REPLIES["console"]))
    yield "progress", frame(0x4B, 18, data=pack(PROGRESS["full"]))
    yield "callback", frame(0x4C, 18, data=called(2, pack("a"), {"b": 1}))
    yield "callback buffer", frame(0x4C, 18, 0, 1, called(0, ext(5, b"\x01"), {}), [b"buf"])
    yield "callback reply", frame(0x0B, 18, 0, 1, pack("done"))
    yield "callback reply failed", frame(0x0B, 18, 1, 0, failure("task", "no", "ValueError"))
    yield "response of a stream", frame(0x42, 18, 0, 0, b"one")
    yield "credit", frame(0x0A, 18, data=struct.pack("<Q", 24 + 3))
    yield "cancel answer", frame(0x04, 18, 1)
    yield "error cancelled", frame(0x43, 18, data=failure("cancelled", "the call was cancelled"))
    yield "abort reply", frame(0x4D, 20, data=pack(ABORT_REPLIES["removed"]))
    yield "abort reply unknown", frame(0x4D, 21, data=pack(ABORT_REPLIES["unknown"]))
    yield "methods reply", frame(0x4E, 22, data=pack(METHODS["table"]))
    yield "response result", frame(0x42, 23, 1, 0, b"all")
    yield "ack job", frame(0x41, 24)
    yield "error no job", frame(0x43, 25, data=failure("no-job", "there is none"))
    yield "jobs reply", frame(0x4F, 26, data=pack(JOBS["some"]))
    yield "goodbye", frame(0x49, 26)


def headed(name, message):
    head = pack(HEADS[name])
    return struct.pack("<H", len(head)) + head + message


def called(function, arguments, keywords):
    return ext(2, pack(function) + ext(2, arguments) + pack(keywords))


def messages():
    for code in CODES:
        yield f"failure {code}", failure(code, "no")
    full = ("task", "bad value", "ValueError", "Traceback ...", b"\xc0")
    causes = [(True, "KeyError", "'a'", b"\xc0"), (False, "KeyError", "'a'", None)]
    yield "failure full", failure(*full)
    yield "failure caused", failure(*full, causes)
    for state in STATES:
        yield f"status {state}", status(state, 0.25 if state == "BUSY" else None)
    for name, request in LOG_REQUESTS.items():
        yield f"log request {name}", pack(request)
    for name, reply in LOG_REPLIES.items():
        yield f"log reply {name}", pack(reply)
    for name, request in DEBUG_REQUESTS.items():
        yield f"debug request {name}", pack(request)
    for name, reply in DEBUG_REPLIES.items():
        yield f"debug reply {name}", pack(reply)
    for name in HEADS:
        yield f"head {name}", headed(name, b"")
    for name, progress in PROGRESS.items():
        yield f"progress {name}", pack(progress)
    for name, request in ABORTS.items():
        yield f"abort {name}", pack(request)
    for name, reply in ABORT_REPLIES.items():
        yield f"abort reply {name}", pack(reply)
    for name, reply in METHODS.items():
        yield f"methods {name}", pack(reply)
    for name, request in JOBS_REQUESTS.items():
        yield f"jobs request {name}", pack(request)
    for name, reply in JOBS.items():
        yield f"jobs {name}", pack(reply)
    yield "client hello", CLIENT_HELLO
    yield "server hello", SERVER_HELLO


def tokens():
    yield "generated token", GENERATED
    yield "generated psk", psk(GENERATED)
    yield "chosen token", CHOSEN
    yield "chosen psk", psk(CHOSEN)
    yield "no psk", bytes(32)


def handshakes():
    yield "client ephemeral key", CLIENT_KEY
    yield "server ephemeral key", SERVER_KEY
    for name, suite in SUITES.items():
        for part, data in handshake(suite).items():
            yield f"{name} {part}", data


def preambles():
    for name, suite in SUITES.items():
        yield name, preamble(suite)
    yield "answer to another version", preamble(1)


def shortened(data):
    """Hex, in which a run of one byte, or of a pair of bytes, is written once with its length."""
    words, at = [""], 0
    while at < len(data):
        width, count = max(((w, run(data, at, w)) for w in (1, 2)), key=lambda found: found[1])
        if count >= 8:
            words += [f"{data[at : at + width].hex()}*{count}", ""]
            at += width * count
        else:
            words[-1] += f"{data[at]:02x}"
            at += 1
    return " ".join(filter(None, words))


def run(data, at, width):
    unit, count = data[at : at + width], 1
    while len(unit) == width and data[at + count * width : at + (count + 1) * width] == unit:
        count += 1
    return count


def write(name, about, vectors):
    lines = [f"# {about}", "# name = bytes in hexadecimal; `xx*n` stands for n times xx"]
    for key, value in vectors:
        data = value if isinstance(value, bytes) and not key.startswith("bytes") else pack(value)
        lines.append(f"{key} = {shortened(data)}".rstrip())
    Path(__file__).with_name(f"{name}.hex").write_text("\n".join(lines) + "\n", encoding="utf-8")


write("preamble", "The first bytes of each suite.", preambles())
write("token", "From tokens to keys.", tokens())
write("handshake", "Handshakes with fixed ephemeral keys and the generated token.", handshakes())
write("frame", "One frame of each kind, in the order of one conversation.", frames())
write("codec", "Payload values at each boundary of width.", codec())
write("message", "What the protocol itself encodes in the payload codec.", messages())
