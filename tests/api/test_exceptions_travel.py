"""What a task raises arrives whole: the text, the traceback and the exception itself."""

from __future__ import annotations

import numpy as np
import pytest

from bgpy import RemoteError

# A name that is not valid text, as Unix gives for bytes that are not.
ODD = "caf\udce9.txt"


class Found(Exception):
    """Holds what it has found."""


def found(result):
    error = Found("it is here")
    error.result = result
    return error


def noted(note):
    error = ValueError("see below")
    error.add_note(note)
    return error


def caused(cause):
    error = LookupError("because of that")
    error.__cause__ = cause
    return error


def fail(client_socket, state, make):
    raise make()


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: ValueError(f"cannot read {ODD}"), r"cannot read caf\udce9.txt"),
        (lambda: RuntimeError("\ud800"), r"\ud800"),
        (lambda: noted("\udcff"), "see below"),
        (lambda: caused(ValueError("\udcff")), "because of that"),
        (lambda: FileNotFoundError(2, "no such film", ODD), r"caf\udce9.txt"),
        (lambda: ValueError("x", np.zeros(100_000)), "array"),
        (lambda: found(np.arange(100_000)), "it is here"),
        (
            lambda: ExceptionGroup("several", [ValueError(np.zeros(3)), KeyError("\udcff")]),
            "several",
        ),
        (lambda: found(bytearray(1 << 20)), "it is here"),
    ],
)
def test_nothing_of_an_exception_is_lost(serve, make, shown):
    client = serve(fail)
    with pytest.raises(RemoteError) as caught:
        client.call(make)
    error, expected = caught.value, make()
    assert shown in str(error)
    assert "in fail" in error.remote_traceback
    assert type(error.exception) is type(expected)
    assert repr(error.exception) == repr(expected)
    assert error.exception is error.__cause__
    if isinstance(expected, Found):
        assert bytes(error.exception.result) == bytes(expected.result)


def test_a_text_with_surrogates_arrives_as_it_was(serve):
    with pytest.raises(RemoteError) as caught:
        serve(fail).call(lambda: ValueError(ODD))
    assert caught.value.exception.args == (ODD,)


def test_an_exception_whose_text_raises_has_its_traceback(serve):
    class Mute(Exception):
        def __str__(self):
            raise LookupError("no words")

    with pytest.raises(RemoteError) as caught:
        serve(fail).call(lambda: Mute())
    assert "in fail" in caught.value.remote_traceback


def test_a_failure_in_a_worker_names_its_process(start, scripts):
    printed = scripts.run(
        """
        import multiprocessing, os, sys
        import bgpy

        def ask(port):
            try:
                bgpy.Client("127.0.0.1", port).call(1, timeout=5)
            except bgpy.NotInitialized as error:
                return error.__notes__

        if __name__ == "__main__":
            for how in ("fork", "spawn"):
                with multiprocessing.get_context(how).Pool(1) as pool:
                    print(*pool.apply(ask, (int(sys.argv[1]),)))
            reader, writer = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    os.write(writer, " ".join(ask(int(sys.argv[1]))).encode())
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            print(os.read(reader, 1000).decode() == f"in forked process {child}")
            try:
                bgpy.Client("127.0.0.1", int(sys.argv[1])).call(1)
            except bgpy.NotInitialized as error:
                print(getattr(error, "__notes__", None))
        """,
        start().port,
    )
    forked, spawned, is_named, own = printed.splitlines()
    assert "in process ForkPoolWorker-1 (pid " in forked
    assert "in process SpawnPoolWorker-" in spawned
    assert (is_named, own) == ("True", "None")
