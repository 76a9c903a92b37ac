"""Ray: a method of an actor. Its head, and what that starts, end with the namespace around them."""

from __future__ import annotations

from typing import Any

import ray

from .way import Shelf, Way

# Enough for what is under way, and for what has not been freed yet.
STORE_BYTES = 2_000_000_000


class Actor(Way):
    """Arrays go to Ray's memory with the call, where the actor reads them."""

    title = "Ray, actor's method"
    kind: type[Shelf] = Shelf

    def open(self) -> None:
        if not ray.is_initialized():
            ray.init(
                num_cpus=2,
                object_store_memory=STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                _node_ip_address="127.0.0.1",
                _temp_dir=str(self.workspace.directory),
            )
            self.workspace.exits.callback(ray.shutdown)
        # It takes no CPU of those that are counted, so that several have room.
        self.actor = ray.remote(num_cpus=0)(self.kind).remote()

    def call(self, data: bytes) -> bytes:
        self.hold(data)
        return self.fetch(data)

    def ask(self, work: str, thing: Any = None) -> Any:
        return ray.get(self.actor.ask.remote(work, thing))

    def close(self) -> None:
        ray.kill(self.actor)


class Put(Actor):
    """Arrays are put into Ray's memory first, and the actor is given the reference."""

    title = "Ray, ray.put and actor's method"

    def ask(self, work: str, thing: Any = None) -> Any:
        return super().ask(work, ray.put(thing))
