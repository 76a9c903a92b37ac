"""What led to an exception arrives with it, from tasks, methods, callbacks and jobs."""

from __future__ import annotations

import threading
import traceback

import pytest

import bgpy
from bgpy import RemoteError


class Stubborn(Exception):
    """Cannot be rebuilt from its arguments."""

    def __init__(self, code, place):
        super().__init__(f"{code} at {place}")


class Frozen(Exception):
    """Lets nobody set an attribute."""

    def __setattr__(self, name, value):
        raise AttributeError(name)

    def __reduce__(self):
        return Frozen, self.args


def fail(client_socket, state, make):
    make()


class Service:
    def fail(self, make):
        return make()

    async def fail_later(self, make):
        return make()

    def words(self, make):
        yield "one"
        make()


def from_a_cause():
    try:
        {}["a"]
    except KeyError as error:
        raise ValueError("no a") from error


def from_a_context():
    try:
        {}["a"]
    except KeyError:
        raise ValueError("no a")  # noqa: B904


def from_none():
    try:
        {}["a"]
    except KeyError:
        raise ValueError("no a") from None


def from_a_chain():
    try:
        from_a_context()
    except ValueError as error:
        raise LookupError("the end") from error


def from_a_stubborn_one():
    try:
        try:
            {}["a"]
        except KeyError as error:
            raise Stubborn(7, "here") from error
    except Stubborn as error:
        raise ValueError("no a") from error


def from_one_with_a_lock():
    locked = TimeoutError("in use")
    locked.lock = threading.Lock()
    raise ValueError("no a") from locked


def from_a_frozen_one():
    try:
        raise KeyError("a")
    except KeyError as error:
        raise Frozen("no a") from error


def in_a_circle():
    first, second = ValueError("first"), ValueError("second")
    second.__cause__, first.__cause__ = first, second
    raise first


def from_far_away():
    cause = None
    for number in range(1000):
        error = ValueError(number)
        error.__cause__ = cause
        cause = error
    raise cause


def in_a_group():
    try:
        {}["a"]
    except KeyError as error:
        raise ExceptionGroup("several", [ValueError("one"), TypeError("two")]) from error


def causes(error):
    """Return the exceptions that lead to one, as Python follows them."""
    found = []
    while error is not None:
        before = error.__cause__
        named = before is not None
        if not named and not error.__suppress_context__:
            before = error.__context__
        if before is not None:
            found.append((named, type(before), str(before)))
        error = before
    return found


BEFORE = [
    (from_a_cause, ValueError, [(True, KeyError, "'a'")]),
    (from_a_context, ValueError, [(False, KeyError, "'a'")]),
    (from_none, ValueError, []),
    (from_a_chain, LookupError, [(True, ValueError, "no a"), (False, KeyError, "'a'")]),
    (
        from_a_stubborn_one,
        ValueError,
        [(True, RemoteError, f"{__name__}.Stubborn: 7 at here"), (True, KeyError, "'a'")],
    ),
    (from_one_with_a_lock, ValueError, [(True, RemoteError, "TimeoutError: in use")]),
    (from_a_frozen_one, Frozen, [(True, KeyError, "'a'")]),
    (in_a_circle, ValueError, [(True, ValueError, "second")]),
    (from_far_away, ValueError, [(True, ValueError, str(n)) for n in range(998, 966, -1)]),
    (in_a_group, ExceptionGroup, [(True, KeyError, "'a'")]),
]
each = pytest.mark.parametrize(("make", "kind", "before"), BEFORE, ids=lambda it: "")


@each
def test_a_task_tells_what_led_to_its_exception(serve, make, kind, before):
    with pytest.raises(RemoteError) as caught:
        serve(fail).call(make)
    assert type(caught.value.exception) is kind
    assert caught.value.__cause__ is caught.value.exception
    assert causes(caught.value.exception) == before


@each
def test_a_method_raises_it_after_what_led_to_it(served, make, kind, before):
    service = served(Service)
    calls = [service.fail, service.fail_later, lambda make: list(service.words(make))]
    for call in calls:
        with pytest.raises(kind) as caught:
            call(make)
        told = caught.value.__cause__
        assert type(told) is RemoteError
        assert told.exception is caught.value
        assert causes(told) == before
        printed = "".join(traceback.format_exception(caught.value))
        assert printed.count("On the server:") == 1


def test_an_exception_that_cannot_be_rebuilt_has_its_causes(serve):
    def make():
        try:
            {}["a"]
        except KeyError as error:
            raise Stubborn(7, "here") from error

    with pytest.raises(RemoteError) as caught:
        serve(fail).call(make)
    assert caught.value.exception is None
    assert causes(caught.value) == [(True, KeyError, "'a'")]


def test_a_callback_tells_what_led_to_its_exception(served):
    class Asks:
        def ask(self, callback):
            try:
                callback()
            except RemoteError as error:
                cause = error.exception.__cause__
                return type(error.exception).__name__, type(cause).__name__, str(cause)

    service = served(Asks)
    assert service.ask(bgpy.callback(from_a_cause)) == ("ValueError", "KeyError", "'a'")


def test_a_job_keeps_what_led_to_its_exception(served):
    service = served(Service)
    job = bgpy.submit(service.fail, from_a_chain)
    for _ in range(2):
        with pytest.raises(LookupError) as caught:
            job.result(timeout=30)
        assert causes(caught.value.__cause__) == BEFORE[3][2]


def test_without_pickles_the_causes_are_told_in_words(host):
    server = host(Service)
    job = bgpy.submit(bgpy.connect(server).service().fail, from_a_chain)
    client = bgpy.connect(server, allow_pickle=False)
    with pytest.raises(RemoteError) as caught:
        bgpy.job(job.id, client).result(timeout=30)
    assert caught.value.exception is None
    told = [text for _, _, text in causes(caught.value)]
    assert told == ["ValueError: no a", "KeyError: 'a'"]
