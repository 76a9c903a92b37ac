"""The source lines of functions from cells of a notebook or from a prompt, for tracebacks.

Such code has no file that the receiver could read: the lines of a function travel with it, and are
put where tracebacks look for lines. A function from a file brings none. Lines are no part of what a
function is: two that differ only in them are the same.
"""

from __future__ import annotations

import sys
from itertools import count

from .codes import kept_by_code
from .weak import oldest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    # The name of a file, the number of the first line, and the text from there on.
    Source = tuple[str, int, str]

# Characters of source that a function brings along; the lines after these are left out.
_SENT_MAX = 1 << 16
# A line with a higher number is not shown: each line before it takes up room here.
_NUMBER_MAX = 100_000
# What is kept of the lines that have arrived.
_FILES_MAX = 256
_CHARS_MAX = 1 << 20

# The lines that have arrived, by file and number. Each step is a single, atomic operation on a
# dict, as in `table`.
_arrived: dict[str, dict[int, str]] = {}


def source_of(code: CodeType) -> Source | None:
    """Return the source of code that no other process can read from a file, if it is known."""
    # Whoever knows such source has imported this module to register it.
    linecache = sys.modules.get("linecache")
    lines = _lines(linecache, code) if linecache is not None else None
    if not lines:
        return None
    first, last = _extent(code)
    wanted, room = [], _SENT_MAX
    for line in lines[first - 1 : last]:
        room -= len(line)
        if room < 0:
            break
        wanted.append(line.rstrip("\r\n"))
    text = "\n".join(wanted)
    # Other lines may be registered under the same name, as `<string>` and `<stdin>` are often used.
    is_its_own = ("lambda" if code.co_name == "<lambda>" else f"def {code.co_name}") in text
    return (_shown(code.co_filename), first, text) if is_its_own else None


def with_source(body: CodeType, source: Source | None) -> CodeType:
    """Let tracebacks through code show its source, and return the code, which may get another file.

    The files of two senders may have the same name: then the second one gets another.
    """
    if source is None:
        return body
    name, first, text = source
    lines = {at: f"{line}\n" for at, line in enumerate(text.split("\n"), first) if line.strip()}
    if not lines or max(lines) > _NUMBER_MAX:
        return body
    for number in count(1):
        file = name if number == 1 else f"{name} ({number})"
        if _add(file, lines):
            return _moved(body, file)
    raise AssertionError("there is always a free name")


def _lines(linecache: Any, code: CodeType) -> list[str] | None:
    """Return the lines of a file that is registered without being on disk, or None."""
    file = code.co_filename
    is_prompt = file.startswith("<")
    entry = linecache.cache.get(file, ())
    if len(entry) == 4:
        # Lines that were read from a file come with its time.
        lines: list[str] = entry[2]
        return lines if is_prompt or entry[1] is None else None
    # From Python 3.13.1 on, the prompt registers its lines by code.
    of_prompt = getattr(linecache, "_getlines_from_code", None)
    return of_prompt(code) if is_prompt and of_prompt is not None else None


@kept_by_code
def _extent(code: CodeType) -> tuple[int, int]:
    """Return the first and the last line of code, with the functions in it."""
    first = last = code.co_firstlineno
    for _, end, _, _ in code.co_positions():
        last = max(last, end or 0)
    for inner in code.co_consts:
        if isinstance(inner, type(code)):
            last = max(last, _extent(inner)[1])
    return first, last


def _shown(file: str) -> str:
    """Return the name by which the user knows a file: a notebook calls its cells In[1], In[2]."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    named = getattr(getattr(shell, "compile", None), "format_code_name", lambda _: None)(file)
    return named[1] if named else file


def _add(file: str, lines: dict[int, str]) -> bool:
    """Add lines to a file; return False if it has others there."""
    import linecache

    if file in linecache.cache and file not in _arrived:
        # Code that comes back finds the lines of its own cell.
        entry = linecache.cache[file]
        known = dict(enumerate(entry[2], 1)) if len(entry) == 4 else {}
        return all(known.get(at) == line for at, line in lines.items())
    held = _arrived.setdefault(file, {})
    if any(held.get(at, line) != line for at, line in lines.items()):
        return False
    # Another thread may add lines of its own at the same time.
    if any(held.setdefault(at, line) != line for at, line in lines.items()):
        return False
    last = max(list(held))
    text = [held.get(at, "\n") for at in range(1, last + 1)]
    # Without a time, they are never looked for on disk.
    linecache.cache[file] = (sum(map(len, text)), None, text, file)
    _forget()
    return True


def _forget() -> None:
    """Forget the files that arrived first, if there are too many."""
    import linecache

    def chars() -> int:
        sizes = (linecache.cache.get(file, (0,))[0] for file in list(_arrived))
        return sum(size for size in sizes if isinstance(size, int))

    while len(_arrived) > 1 and (len(_arrived) > _FILES_MAX or chars() > _CHARS_MAX):
        file = oldest(_arrived, None)
        if file is None:
            return
        _arrived.pop(file, None)
        linecache.cache.pop(file, None)


def _moved(code: CodeType, file: str) -> CodeType:
    """Return code as if it came from another file."""
    if code.co_filename == file:
        return code
    consts = tuple(_moved(it, file) if isinstance(it, type(code)) else it for it in code.co_consts)
    return code.replace(co_filename=file, co_consts=consts)
