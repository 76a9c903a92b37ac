"""The command for the tests in this directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import ANY

import pytest

from .commands import CONSOLE, MODULE, Commands

if TYPE_CHECKING:
    from .screens import Screen

TASKS = """
import os
import time

from bgpy import respond


def init_task():
    return {"calls": 0}


def exec_task(client_socket, state, args):
    state["calls"] += 1
    print("call", state["calls"], args)
    match args:
        case "tuple":
            respond(client_socket, (1, 2))
        case "array":
            import numpy

            respond(client_socket, numpy.arange(3))
        case "raise":
            raise ValueError("no film in the camera")
        case "silent":
            pass
        case {"open": path}:
            with open(path) as pipe:  # until somebody has opened it for writing
                respond(client_socket, pipe.read())
        case {"variable": name}:
            respond(client_socket, os.environ.get(name))
        case "where":
            respond(client_socket, os.getcwd())
        case _:
            respond(client_socket, {"calls": state["calls"], "args": args})


def exit_task(client_socket, state, args):
    print("leaving")
"""


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Return a file with tasks."""
    path = tmp_path / "camera.py"
    path.write_text(TASKS)
    return path


@pytest.fixture
def camera(commands: Commands, tasks: Path) -> Commands:
    """Start a server with the name 'camera'."""
    assert commands.run("start", tasks) == (0, "camera\n", ANY)
    return commands


@pytest.fixture
def commands() -> Iterator[Commands]:
    """Return the console script."""
    commands = Commands(CONSOLE)
    yield commands
    commands.close()


@pytest.fixture
def screen() -> Iterator[Callable[..., Screen]]:
    """Return a function that runs the command on a terminal of a size, in columns and lines."""
    # Terminals are files of Unix.
    from .screens import Screen

    screens: list[Screen] = []

    def screen(*arguments: object, size: tuple[int, int] = (80, 24)) -> Screen:
        screens.append(Screen([*CONSOLE, *map(str, arguments)], *size))
        return screens[-1]

    yield screen
    for shown in screens:
        shown.close()


@pytest.fixture(params=[CONSOLE, MODULE], ids=["console", "module"])
def each_form(request: pytest.FixtureRequest) -> Iterator[Commands]:
    """Return each form of the command."""
    commands = Commands(request.param)
    yield commands
    commands.close()
