"""A browser of one page, with headings and inputs, bound to its thread like the real one."""

from __future__ import annotations

import re
import threading


class Page:
    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._html = ""
        self._values: dict[str, str] = {}
        self.url = "about:blank"

    def _check(self) -> None:
        assert threading.get_ident() == self._thread, "a page belongs to the thread that made it"

    def set_content(self, html: str) -> None:
        self._check()
        self._html = html
        self._values = {f"#{name}": "" for name in re.findall(r"id='(\w+)'", html)}

    def inner_text(self, selector: str) -> str:
        self._check()
        return re.search(rf"<{selector}>(.*?)</{selector}>", self._html)[1]

    def fill(self, selector: str, value: str) -> None:
        self._check()
        assert selector in self._values
        self._values[selector] = value

    def input_value(self, selector: str) -> str:
        self._check()
        return self._values[selector]

    def screenshot(self) -> bytes:
        self._check()
        return b"\x89PNG\r\n"


class Browser:
    def new_page(self) -> Page:
        return Page()

    def close(self) -> None:
        pass


class BrowserType:
    def launch(self) -> Browser:
        return Browser()


class Playwright:
    chromium = BrowserType()

    def stop(self) -> None:
        pass


class Manager:
    def start(self) -> Playwright:
        return Playwright()


def sync_playwright() -> Manager:
    return Manager()
