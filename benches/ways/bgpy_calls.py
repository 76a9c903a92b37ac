"""bgpy: ``Client.call`` of a dict, to a task that responds with that dict or works with objects."""

from __future__ import annotations

from typing import Any

import bgpy
import bgpy_server
import shelf_tasks
from echo_tasks import exec_task, exit_task, init_task, init_task_large

from .way import Way


class SameHost(Way):
    """As a script on the server's machine calls."""

    title = "bgpy, same host"
    tasks = init_task, exec_task, exit_task

    def open(self) -> None:
        self.server = bgpy_server.start(self.workspace)
        self.client = self.connected()
        self.client.initialize(*self.tasks)

    def call(self, data: bytes) -> bytes:
        return self.client.call({"data": data})["data"]

    def close(self) -> None:
        self.client.close()
        bgpy_server.stop(self.server)

    def connected(self) -> bgpy.Client:
        """Return a client."""
        return bgpy_server.same_host(self.server)


class Encrypted(SameHost):
    """As a script on another machine calls."""

    title = "bgpy, TCP encrypted"

    def connected(self) -> bgpy.Client:
        return bgpy_server.by_tcp(self.workspace, self.server)


class Service:
    """A class whose method does what the task does."""

    def echo(self, args: dict[str, bytes]) -> dict[str, bytes]:
        """Return the argument."""
        return args


class MethodSameHost(SameHost):
    """A method of an object, as a script on the server's machine calls it."""

    title = "bgpy, a method, same host"

    def open(self) -> None:
        self.server = bgpy_server.start(self.workspace)
        self.client = self.connected()
        bgpy_server.make(self.client, Service)
        self.service = bgpy.connect(self.client, Service)

    def call(self, data: bytes) -> bytes:
        return self.service.echo({"data": data})["data"]


class MethodEncrypted(MethodSameHost, Encrypted):
    """A method of an object, as a script on another machine calls it."""

    title = "bgpy, a method, TCP encrypted"


class ObjectsSameHost(SameHost):
    """Objects, as a script on the server's machine sends them."""

    tasks = shelf_tasks.init_task, shelf_tasks.exec_task, shelf_tasks.exit_task

    def ask(self, work: str, thing: Any = None) -> Any:
        return self.client.call({"work": work, "thing": thing})


class ObjectsEncrypted(ObjectsSameHost, Encrypted):
    """Objects, as a script on another machine sends them."""


class LargeState(SameHost):
    """The same server with 1 GiB in its state."""

    title = "bgpy, 1 GiB of state"
    tasks = init_task_large, exec_task, exit_task
