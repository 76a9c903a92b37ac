"""Large buffers arrive whole, writable and as nobody else's, by whichever way they travel.

On a Unix socket the first large messages come by the stream and the following ones by segments, so
that each test sends several.
"""

from __future__ import annotations

import os
import pickle
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.processes import KILL, stand_still

from bgpy import Client, SerializationError, respond

from .conftest import TOKEN

HOST = "127.0.0.1"
MEGABYTE = 1 << 20
ROUNDS = 6

ARRAYS = {
    "c order": np.arange(MEGABYTE, dtype="f8").reshape(1024, 1024),
    "fortran order": np.asfortranarray(np.arange(MEGABYTE, dtype="f4").reshape(512, 2048)),
    "every other": np.arange(2 * MEGABYTE, dtype="i4")[::2],
    "backwards": np.arange(MEGABYTE, dtype="i8")[::-1],
    "transposed": np.arange(MEGABYTE, dtype="c8").reshape(64, 128, 128).transpose(2, 0, 1),
    "structured": np.zeros(MEGABYTE // 4, dtype=[("a", "i4"), ("b", "f8"), ("c", "S4")]),
    "big endian": np.arange(MEGABYTE, dtype=">u4"),
    "booleans": np.arange(4 * MEGABYTE) % 3 == 0,
    "dates": np.arange(MEGABYTE).astype("M8[s]"),
    "objects": np.array([None, "text", {"a": 1}, b"\0" * 10] * 1000, dtype=object),
    "no bytes": np.zeros((0, 7), dtype="f4"),
    "no dimensions": np.array(7.5),
    "one byte": np.zeros(1, dtype="u1"),
}


def echo(client_socket, state, args):
    respond(client_socket, args)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_every_kind_come_back_as_they_were(connect, name):
    client, array = connect(echo), ARRAYS[name]
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(array, 5, buffer_callback=buffers.append)
    flags = str(pickle.loads(pickled, buffers=[bytearray(buffer) for buffer in buffers]).flags)
    for _ in range(ROUNDS):
        back = client.call(array)
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        assert np.array_equal(back, array)
        assert str(back.flags) == flags
        assert back.flags.writeable
        assert back.flags.aligned


def test_what_arrives_is_nobody_elses(connect):
    """Every array is kept on both sides while others follow, changed, and still as it was left."""

    def keep(client_socket, state, args):
        if args is None:
            respond(client_socket, [int(array.sum()) for array in state["kept"]])
            return
        state.setdefault("kept", []).append(args)
        args += 1
        respond(client_socket, args)
        args += 1

    client = connect(keep)
    mine, answers = [], []
    for number in range(40):
        array = np.full(MEGABYTE, number % 100, dtype="u1")
        answers.append(client.call(array))
        array += 50
        mine.append(array)
    for number, (array, answer) in enumerate(zip(mine, answers, strict=True)):
        assert (array == number % 100 + 50).all()
        assert (answer == number % 100 + 1).all()
        answer += 1
    assert client.call(None) == [MEGABYTE * (number % 100 + 2) for number in range(40)]


def test_a_response_beyond_what_may_wait_for_a_client_arrives(connect):
    """The limit is for clients that do not read; others are answered meanwhile."""

    def large(client_socket, state, args):
        respond(client_socket, np.full(args, 5, dtype="u1"))

    client = connect(large)
    # A client that is slow has both large ones unread, which the limit and the larger one allow.
    sizes = (300_000_000, 10, 250_000_000, 10)
    with ThreadPoolExecutor() as threads:
        answers = [threads.submit(client.call, size) for size in sizes]
        for answer, size in zip(answers, sizes, strict=True):
            array = answer.result()
            assert array.nbytes == size
            assert array[0] == array[-1] == 5


def test_many_buffers_of_all_sizes_travel_together(connect):
    client = connect(echo)
    sizes = [0, 1, 1000, 65_536, 262_143, 262_144, 3 * MEGABYTE] * 3
    arrays = [np.arange(size, dtype="u1") for size in sizes]
    for _ in range(ROUNDS):
        back = client.call({"arrays": arrays, "bytes": b"x" * MEGABYTE, "more": bytearray(9)})
        assert all(map(np.array_equal, back["arrays"], arrays))
        assert back["bytes"] == b"x" * MEGABYTE
        assert back["more"] == bytearray(9)


def test_a_view_of_what_arrived_can_be_sent_on(connect):
    client = connect(echo)
    array = np.arange(MEGABYTE, dtype="f8")
    for _ in range(ROUNDS):
        array = client.call(array)[:-8]
    assert np.array_equal(array, np.arange(MEGABYTE - 8 * ROUNDS, dtype="f8"))


def test_a_forked_process_has_a_copy_of_its_own(connect):
    """Neither side of the fork sees what the other writes, nor what comes later."""

    def fork(client_socket, state, args):
        if isinstance(args, str):
            os.write(state["go"], b"x")
            with os.fdopen(state["answer"], "rb") as answer:
                respond(client_socket, (answer.read(), bytes(state["kept"][:3])))
            os.waitpid(state["pid"], 0)
            return
        (wait, go), (answer, tell) = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(answer)
            args[1] = 77
            os.read(wait, 1)
            os.write(tell, bytes(args[:3]))
            os._exit(0)
        os.close(tell)
        args[2] = 88
        state.update(go=go, answer=answer, pid=pid, kept=args)
        respond(client_socket, None)

    client = connect(fork)
    for first in range(ROUNDS):
        client.call(np.full(MEGABYTE, first, dtype="u1"))
        child, parent = client.call("what do you see?")
        assert child == bytes([first, 77, first])
        assert parent == bytes([first, first, 88])


def test_a_forked_client_leaves_its_parents_arrays_alone(connect):
    client = connect(echo)
    kept = [client.call(np.full(MEGABYTE, number, dtype="u1")) for number in range(ROUNDS)]
    pid = os.fork()
    if pid == 0:
        alright = all((array == number).all() for number, array in enumerate(kept))
        for array in kept:
            array += 100
        kept.clear()
        array = np.full(MEGABYTE, 9, dtype="u1")
        alright &= all((client.call(array) == 9).all() for _ in range(ROUNDS))
        os._exit(not alright)
    for number in range(ROUNDS):
        assert (client.call(np.full(MEGABYTE, 50 + number, dtype="u1")) == 50 + number).all()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert all((array == number).all() for number, array in enumerate(kept))


def test_a_client_that_stands_still_delays_nobody(connect, start):
    """It sends a part of a large message, or takes a part of one, and keeps its server waiting."""
    client = connect(echo)
    array = np.zeros(64 * MEGABYTE, dtype="u1")
    pid = os.fork()
    if pid == 0:
        while True:
            client.call(array)
    try:
        other = Client(HOST, client.port, token=TOKEN)
        for _ in range(20):
            stand_still(pid)
            assert other.call("hello", timeout=20) == "hello"
            assert other.status(timeout=20)["clients"] >= 2
            os.kill(pid, signal.SIGCONT)
            other.ping(timeout=20)
    finally:
        os.kill(pid, KILL)
        os.waitpid(pid, 0)


def test_a_client_that_dies_in_the_middle_harms_nobody(connect):
    client = connect(echo)
    array = np.zeros(64 * MEGABYTE, dtype="u1")
    other = Client(HOST, client.port, token=TOKEN)
    for _ in range(10):
        pid = os.fork()
        if pid == 0:
            while True:
                client.call(array)
        assert other.call(array[:MEGABYTE]).nbytes == MEGABYTE
        os.kill(pid, KILL)
        os.waitpid(pid, 0)
    assert other.call("hello") == "hello"


def test_a_buffer_that_cannot_be_had_is_an_error_of_its_own(connect):
    class Odd:
        def __reduce_ex__(self, protocol):
            raise BufferError("no view of it")

    client = connect(echo)
    with pytest.raises(SerializationError, match="no view of it"):
        client.call([np.zeros(MEGABYTE), Odd()])
    assert client.call(np.zeros(MEGABYTE)).nbytes == 8 * MEGABYTE


def numbers(pid: int) -> tuple[int, int]:
    """Resident kilobytes and descriptors of a process."""
    with open(f"/proc/{pid}/statm") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts by way of /proc")
def test_ten_thousand_large_messages_leave_nothing_behind(connect):
    client = connect(echo)
    server = client.status()["pid"]
    array = np.zeros(MEGABYTE, dtype="u1")
    # By TCP each takes five times as long.
    count = 1_000 if os.environ["BGPY_RUNTIME_DIR"].endswith("elsewhere") else 10_000
    for number in range(count):
        client.call(array)
        if number == count // 10:
            before = [numbers(pid) for pid in (server, os.getpid())]
    for (resident, fds), (first, first_fds) in zip(
        [numbers(pid) for pid in (server, os.getpid())], before, strict=True
    ):
        assert resident - first < 32 * 1024
        assert fds - first_fds <= 2
    assert os.listdir("/dev/shm") == [] or not any("bgpy" in n for n in os.listdir("/dev/shm"))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts by way of /proc")
def test_memory_that_is_kept_for_the_next_message_is_given_back(start, tmp_path, monkeypatch):
    clients = []
    for name in ("run", "elsewhere"):
        server = start(token=TOKEN)
        # Where no entry is found, there is no socket file either, and TCP is all there is.
        (tmp_path / name).mkdir(mode=0o700, exist_ok=True)
        with monkeypatch.context() as patch:
            patch.setenv("BGPY_RUNTIME_DIR", str(tmp_path / name))
            clients.append(Client(HOST, server.port, token=TOKEN))
            clients[-1].initialize(dict, echo, lambda *_: None)
    processes = [*(client.status()["pid"] for client in clients), os.getpid()]
    array = np.ones(64 * MEGABYTE, dtype="u1")
    for client in clients:
        client.call(array[:MEGABYTE])
    before = [numbers(pid)[0] for pid in processes]
    kept = []
    for client, pid in zip(clients, processes, strict=False):
        for _ in range(ROUNDS):
            client.call(array)
        # At once: it is given back after a while, in which a busy machine may not get to the end.
        kept.append(numbers(pid)[0])
    # This process may have kept as much from earlier tests.
    assert all(now - then > 48 * 1024 for now, then in zip(kept, before, strict=False))
    deadline = time.monotonic() + 150
    while any(numbers(p)[0] - then > 16 * 1024 for p, then in zip(processes, before, strict=True)):
        assert time.monotonic() < deadline, "it is still kept"
        time.sleep(0.2)


def memory_available() -> int:
    """Bytes that can be taken without swapping."""
    try:
        with open("/proc/meminfo") as lines:
            pairs = dict(line.split(":") for line in lines)
    except FileNotFoundError:
        return 0
    return int(pairs["MemAvailable"].split()[0]) * 1024


@pytest.mark.slow
@pytest.mark.skipif(memory_available() < 18 << 30, reason="needs 18 GB of memory")
def test_five_gigabytes_in_one_message(connect):
    def measure(client_socket, state, args):
        respond(client_socket, (args.nbytes, int(args[0]), int(args[-1])))

    client = connect(measure)
    array = np.zeros(5_000_000_000, dtype="u1")
    array[0], array[-1] = 3, 4
    assert client.call(array) == (5_000_000_000, 3, 4)
