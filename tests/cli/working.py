"""A server whose tasks take their time, for the tests of cancels, progress and streams."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from bgpy import Client, connect

from .commands import LIMIT_S, Commands

TASKS = """\
import os
import time
from pathlib import Path

import bgpy
from bgpy import Cancelled, respond

ENDS = []


def init_task():
    return {}


def exec_task(client_socket, state, args):
    match args:
        case "ends":
            respond(client_socket, ENDS)
        case {"train": (done, total, text), "then": pipe, **more}:
            if "respond" in more:
                respond(client_socket, more["respond"])
            bgpy.progress(done, total, text)
            with open(pipe) as waits:
                respond(client_socket, waits.read())
        case {"sleep": mark, "on_cancel": wish}:
            try:
                Path(mark).touch()
                time.sleep(60)
            except Cancelled:
                ENDS.append("cancelled")
                answered_after_cancel(client_socket, wish)
        case {"stubborn": mark}:
            Path(mark).touch()
            while True:
                try:
                    time.sleep(60)
                except Cancelled:
                    bgpy.progress(text="stubborn")
        case {"count": values, "fail": is_failure}:
            for value in values:
                respond(client_socket, value, error=is_failure)
        case {"one_then_wait": pipe}:
            respond(client_socket, "first")
            try:
                with open(pipe) as waits:
                    respond(client_socket, waits.read())
            finally:
                ENDS.append("stream")
        case {"flood": text}:
            number = 0
            try:
                while True:
                    bgpy.progress(number)
                    respond(client_socket, text)
                    number += 1
            finally:
                ENDS.append("flood")
        case {"raise_after": values}:
            for value in values:
                respond(client_socket, value)
            raise ValueError("no more words")
        case _:
            respond(client_socket, args)


def answered_after_cancel(client_socket, wish):
    match wish:
        case "raise":
            raise
        case "answer":
            respond(client_socket, "partly")
        case "die":
            os._exit(3)
"""


class Hall:
    """The server, with the name 'hall'."""

    def __init__(self, commands: Commands, directory: Path) -> None:
        self.commands, self.directory = commands, directory
        path = directory / "hall.py"
        path.write_text(TASKS)
        code, _, words = commands.run("start", path)
        assert code == 0, words
        self.client: Client = connect("hall")
        self.mark = directory / "mark"
        self.pipe = directory / "pipe"
        os.mkfifo(self.pipe)

    def sleeping(self, on_cancel: str = "raise") -> dict[str, Any]:
        """Return the argument of a call that sleeps."""
        return {"sleep": str(self.mark), "on_cancel": on_cancel}

    def training(self, done: float, total: float | None, text: str) -> dict[str, Any]:
        """Return the argument of a call that tells progress, and waits for text in the pipe."""
        return {"train": (done, total, text), "then": str(self.pipe)}

    def call(self, argument: object, *options: object) -> list[object]:
        """Return the arguments of a command that calls it."""
        return ["call", "hall", json.dumps(argument), *options]

    def wait_begun(self) -> None:
        """Wait until a call has left its mark."""
        wait_until(self.mark.exists)

    def wait_told(self) -> None:
        """Wait until a call has told progress."""
        wait_until(lambda: self.client.status()["progress"])

    def ends(self) -> list[str]:
        """Return how calls have ended so far, once no call runs."""
        ends: list[str] = self.client.call("ends", timeout=LIMIT_S)
        return ends


def wait_until(condition: Any) -> None:
    """Wait until something is so."""
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until, "it has not come true"
        time.sleep(0.005)


@pytest.fixture
def hall(commands: Commands, tmp_path: Path) -> Hall:
    """Start a server with the name 'hall'."""
    return Hall(commands, tmp_path)
