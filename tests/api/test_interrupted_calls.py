"""Ctrl-C ends the wait for a call, cancels the call, and tells the caller so."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from bgpy import respond


def count(client_socket, state, args):
    state["calls"] = state.get("calls", 0) + 1
    if args is not None:
        args.enter()
    respond(client_socket, state["calls"])


def interrupt_when(entered):
    def interrupt():
        entered()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


def test_the_caller_is_told_that_the_call_is_cancelled(serve, gate):
    client = serve(count, name="counter")
    thread = interrupt_when(gate.wait_entered)
    with pytest.raises(KeyboardInterrupt) as caught:
        client.call(gate)
    thread.join()
    (note,) = caught.value.__notes__
    target = f"{client.host}:{client.port}"
    assert note == (
        f"the server was told to cancel the call: bgpy.connect('{target}').status() shows whether "
        "it still runs"
    )
    assert client.call(None) == 2


def test_a_call_that_waits_for_its_turn_is_dropped(serve, gate):
    client = serve(count)
    client.execute(gate)
    gate.wait_entered()

    def is_queued():
        while client.status()["queue"] == 0:
            pass

    thread = interrupt_when(is_queued)
    with pytest.raises(KeyboardInterrupt):
        client.call(None)
    thread.join()
    while client.status()["queue"]:
        pass
    gate.open()
    assert client.call(None) == 2


def test_what_a_signal_handler_raises_has_the_note_as_well(serve, gate):
    client = serve(count)

    def handle(number, frame):
        raise LookupError("handled")

    before = signal.signal(signal.SIGINT, handle)
    thread = interrupt_when(gate.wait_entered)
    try:
        with pytest.raises(LookupError, match="handled") as caught:
            client.call(gate)
    finally:
        signal.signal(signal.SIGINT, before)
    thread.join()
    assert "told to cancel the call" in caught.value.__notes__[0]
