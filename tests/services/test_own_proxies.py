"""Services that meet proxies of themselves."""

from __future__ import annotations

import os
from typing import Any

import pytest

import bgpy


class Mirror:
    """Uses what may be itself."""

    held: Any = None

    def one(self) -> int:
        return 1

    def use(self, other: Any) -> int:
        return other.one()

    def hold(self, other: Any) -> str:
        self.held = other
        return str(other)

    def use_held(self) -> int:
        return self.held.one()

    @bgpy.method(read=True)
    def read(self, other: Any) -> int:
        return other.one()

    async def use_later(self, other: Any) -> int:
        return other.one()

    def connect(self, target: str) -> str:
        return str(bgpy.connect(target).service())

    def submit(self, other: Any) -> str:
        return bgpy.submit(other.one).id

    def wait(self, other: Any) -> int:
        return bgpy.submit(other.one).result()


def test_a_proxy_is_passed_to_its_own_server(host):
    mirror = bgpy.connect(host(Mirror, name="mirror")).service()
    other = bgpy.connect(host(Mirror, name="other")).service()
    for use in (mirror.use, mirror.read, mirror.use_later, mirror.wait):
        with pytest.raises(bgpy.WouldDeadlock):
            use(mirror)
        assert use(other) == 1
    assert mirror.hold(mirror) == mirror.connect("mirror") == "<Mirror on mirror>"
    with pytest.raises(bgpy.WouldDeadlock):
        mirror.use_held()
    assert bgpy.job(mirror.submit(mirror), mirror).result() == 1


class Early:
    """Asks its own server for something before that has started."""

    def __init__(self) -> None:
        own = bgpy.Client("early")
        self.told = []
        for ask in (own.service, lambda: own.call({}), lambda: bgpy.jobs(own)):
            try:
                self.told.append(repr(ask()))
            except bgpy.WouldDeadlock as error:
                self.told.append(str(error))

    def tell(self) -> list[str]:
        return self.told

    def die(self) -> None:
        os._exit(3)


def test_a_start_that_waits_for_its_own_server_is_told(host):
    host(Early, name="early", restart="on-failure")
    early = bgpy.connect("early").service()
    first = early.tell()
    assert all("cannot answer before this task has ended" in told for told in first[:2])
    with pytest.raises(bgpy.ConnectionLost):
        early.die()
    assert bgpy.options(early.tell, timeout=30)()[:2] == first[:2]
