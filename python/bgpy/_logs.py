"""The log of a server: as text, as lines that are followed, or printed while a call waits."""

from __future__ import annotations

import codecs
import time

from .errors import BgpyError, CallTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._bgpy import LogReader

# How often a followed log is read.
_POLL_S = 0.2
# A longer line is passed on in parts.
_LINE_CHARS_MAX = 1 << 16
# Pieces that are printed at once, so that tasks that print all the time cannot keep the caller of
# one: during a call, and after it.
_PIECES_MAX = 64
_LAST_PIECES_MAX = 1024


class Log(str):
    """The text of a log, which prompts and notebooks display as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def logs(reader: LogReader, follow: bool) -> Log | Iterator[str]:
    """Return the text of a log, or the lines that it has and gets."""
    if not follow:
        return Log("".join(_texts(reader)))
    # Read at once: the lines begin here, and not where the first one is asked for.
    return _lines(reader, reader.read())


class Echo:
    """Prints what tasks print from now on.

    Parameters
    ----------
    reader : LogReader
        Reads what they print.
    """

    def __init__(self, reader: LogReader) -> None:
        self._reader: LogReader | None = reader
        self._decoder = _decoder()
        for _ in range(_PIECES_MAX):
            found = reader.read()
            if found is None or not found[1]:
                break

    def __call__(self) -> None:
        """Print what came since."""
        self._print(_PIECES_MAX)

    def finish(self) -> None:
        """Print what came before the end of the call."""
        if self._print(_LAST_PIECES_MAX):
            print("\n[the server prints on: see Client.logs()]", flush=True)

    def _print(self, pieces_max: int) -> bool:
        """Print what came since, and return whether there is more."""
        for _ in range(pieces_max):
            try:
                piece = self._reader.read() if self._reader is not None else None
            except CallTimeout:
                return False
            except BgpyError:
                # The call that waits meets the same error.
                piece = self._reader = None
            if piece is None:
                return False
            text = self._decoder.decode(piece[0])
            if text:
                # As it is: a progress bar has no lines.
                print(text, end="", flush=True)
            if not piece[1]:
                return False
        return True


def _texts(reader: LogReader) -> Iterator[str]:
    """Yield what a log has now."""
    decoder = _decoder()
    has_more = True
    while has_more and (piece := reader.read()) is not None:
        text, has_more = piece
        yield decoder.decode(text)


def _lines(reader: LogReader, piece: tuple[bytes, bool] | None) -> Iterator[str]:
    """Yield the lines of a log, from a first piece on, until its server has ended."""
    decoder, rest = _decoder(), ""
    while piece is not None:
        text, has_more = piece
        *lines, rest = (rest + decoder.decode(text)).split("\n")
        yield from lines
        if len(rest) > _LINE_CHARS_MAX:
            yield rest
            rest = ""
        if not has_more:
            time.sleep(_POLL_S)
        piece = reader.read()
    if rest:
        yield rest


def _decoder() -> codecs.IncrementalDecoder:
    # Tasks may print any bytes.
    return codecs.getincrementaldecoder("utf-8")("backslashreplace")
