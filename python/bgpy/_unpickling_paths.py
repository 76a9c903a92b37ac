"""Finds the part of an object that raised while it was unpickled.

Nothing is unpickled again. The opcodes of the pickle are interpreted on a stack of names, up to the
one that failed, which is identified by the number of objects that had been memoized before.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from pickletools import genops
from types import FunctionType

from ._object_parts import index_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SECONDS = 2.0
_STEPS_MAX = 100
_KEY_CHARS = 40
_TEXTS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}
_EMPTY = {"EMPTY_LIST": "list", "EMPTY_DICT": "dict", "EMPTY_SET": "set", "EMPTY_TUPLE": "tuple"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_DEFINITIONS = {
    "bgpy._code.build.class_": "type",
    "bgpy._code.build.struct": "type",
    "bgpy._code.build.function": "function",
}
# How arrays of NumPy are made, before they get their state.
_ARRAYS = {f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")}
# Version, shape, type, order and contents.
_ARRAY_STATE = 5
_MAKERS = {"GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ", "NEWOBJ_EX"}


class _Part:
    """Stands for an object: its type, and its parts."""

    __slots__ = ("items", "kind", "text")

    def __init__(self, kind: str, text: str = "") -> None:
        self.kind = kind
        # The value of a text or number, or the full name of a class or function.
        self.text = text
        # Each part, the text before and after the path of the whole, and the part's name as an
        # attribute. The arguments of a constructor have no path, so these three are empty.
        self.items: list[tuple[_Part, str, str, str]] = []

    def take(self, part: _Part, before: str, behind: str, name: str = "") -> None:
        """Add a part."""
        self.items.append((part, before, behind, name))

    def adopt(self, state: _Part) -> None:
        """Add the parts of a state, as attributes."""
        if self.kind in _ARRAYS and len(state.items) == _ARRAY_STATE:
            self.adopt_items(*(state.items[place][0] for place in (1, 4)))
        for part, _, _, name in list(state.items):
            if name:
                self.take(part, "", f".{name}")
            elif part.kind == "dict":
                self.adopt(part)
            else:
                self.take(part, "", "")
        self.take(state, "", "")

    def adopt_items(self, shape: _Part, values: _Part) -> None:
        """Add the objects that an array contains."""
        lengths = [int(length.text) for length, *_ in shape.items if length.text.isdigit()]
        for place, (item, *_) in enumerate(values.items):
            if len(lengths) == len(shape.items):
                self.take(item, "", f"[{index_of(place, lengths)}]")


class _Machine:
    """Interprets the opcodes of a pickle."""

    def __init__(self, made: int) -> None:
        self.made = made
        self.stack: list[_Part] = []
        self.marks: list[list[_Part]] = []
        self.memo: dict[int, _Part] = {}
        # Opcodes that could be the one that failed, with the object that they act on.
        self.suspects: list[tuple[str, _Part]] = []

    def step(self, name: str, arg: Any, pops: int, pushes: int) -> None:
        stack = self.stack
        if name in _TEXTS:
            stack.append(_Part("str", arg))
        elif name == "MARK":
            self.marks.append(stack)
            self.stack = []
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[int(arg)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[int(arg)])
        elif name in _EMPTY:
            stack.append(_Part(_EMPTY[name]))
        elif name in _TUPLES:
            self.sequence("tuple", [stack.pop() for _ in range(_TUPLES[name])][::-1])
        elif name in ("TUPLE", "LIST", "FROZENSET"):
            self.sequence(name.lower(), self.above())
        elif name in ("APPEND", "APPENDS", "ADDITEMS"):
            self.extend([stack.pop()] if name == "APPEND" else self.above())
        elif name in ("SETITEM", "SETITEMS", "DICT"):
            self.pairs(name)
        elif name in _MAKERS or name == "BUILD":
            self.make(name, arg)
        elif name == "POP_MARK":
            self.above()
        elif name == "DUP":
            stack.append(stack[-1])
        else:
            del stack[len(stack) - pops :]
            stack.extend(_Part("object", repr(arg)) for _ in range(pushes))

    def above(self) -> list[_Part]:
        """Pop everything above the last mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def sequence(self, kind: str, items: list[_Part]) -> None:
        self.stack.append(_Part(kind))
        self.extend(items)

    def extend(self, items: list[_Part]) -> None:
        whole = self.stack[-1]
        is_set = "set" in whole.kind
        self.suspect("fill", (_hashed(items) if is_set else None) or whole)
        before, behind = ("list(", ")") if is_set else ("", "")
        for item in items:
            whole.take(item, before, f"{behind}[{len(whole.items)}]")

    def pairs(self, name: str) -> None:
        items = [self.stack.pop(), self.stack.pop()][::-1] if name == "SETITEM" else self.above()
        if name == "DICT":
            self.stack.append(_Part("dict"))
        whole = self.stack[-1]
        self.suspect("fill", _hashed(items[::2]) or whole)
        for key, value in zip(items[::2], items[1::2], strict=False):
            whole.take(key, "list(", f")[{len(whole.items) // 2}]")
            whole.take(value, "", f"[{_written(key)}]", key.text if key.kind == "str" else "")

    def make(self, name: str, arg: Any) -> None:
        stack = self.stack
        if name == "BUILD":
            state, made = stack.pop(), stack[-1]
            self.suspect("build", made)
            made.adopt(state)
            return
        if name == "GLOBAL":
            made = _Part("type", ".".join(arg.split(" ")))
        elif name == "STACK_GLOBAL":
            found, module = stack.pop(), stack.pop()
            made = _Part("type", f"{module.text}.{found.text}")
        else:
            parts = [stack.pop() for _ in range(3 if name == "NEWOBJ_EX" else 2)]
            made = _Part(parts[-1].text or "object")
            if made.kind in _DEFINITIONS:
                # The key, the first argument, starts with module and name of the definition.
                made.kind, key = _DEFINITIONS[made.kind], parts[0].items[0][0]
                if made.kind == "type" and len(key.items) > 1:
                    made.text = ".".join(item.text for item, *_ in key.items[:2])
            for part in parts[:-1]:
                made.take(part, "", "")
            if made.kind == "collections.defaultdict" and parts[0].items:
                made.take(parts[0].items[0][0], "", ".default_factory")
        self.suspect("make", made)
        stack.append(made)

    def suspect(self, what: str, part: _Part) -> None:
        if len(self.memo) >= self.made:
            self.suspects.append((what, part))


def culprit(pickled: bytes, made: int, root: str) -> str:
    """Find the part that raised.

    Parameters
    ----------
    pickled : bytes
        The pickle.
    made : int
        Number of objects that the unpickler had memoized when it failed.
    root : str
        Name of the object in the path.

    Returns
    -------
    str
        The path of the innermost part to blame, and its type: ``args["model"] (a torch.Module)``.
    """
    end = time.monotonic() + _SECONDS
    machine, whole = _Machine(made), None
    for operation, arg, _ in genops(pickled):
        if operation.name == "STOP":
            whole = machine.stack[-1]
            break
        machine.step(operation.name, arg, len(operation.stack_before), len(operation.stack_after))
        if len(machine.memo) <= made:
            found = _likely(machine.suspects)
        if time.monotonic() > end:
            return root
    if whole is None or found is None:
        return root
    return _told(found, whole, root, end)


def _hashed(parts: list[_Part]) -> _Part | None:
    """Return the first key or item of a set that may have a hash of its own."""
    for part in parts:
        if part.kind in ("tuple", "frozenset"):
            found = _hashed([item for item, *_ in part.items])
            if found is not None:
                return found
        elif part.kind not in ("str", "object", "type", "function") and _has_own_hash(part.kind):
            return part
    return None


def _likely(suspects: list[tuple[str, _Part]]) -> _Part | None:
    """Choose among consecutive opcodes the first one that can fail."""
    for what, part in suspects:
        if what == "make" or (what == "build" and _has_own_state(part.kind)):
            return part
    return suspects[0][1] if suspects else None


def _has_own_state(kind: str) -> bool:
    """Return whether a class defines how it takes its state, or is unknown."""
    cls = _class(kind)
    return cls is None or hasattr(cls, "__setstate__")


def _has_own_hash(kind: str) -> bool:
    """Return whether a class defines its hash in Python, or is unknown."""
    cls = _class(kind)
    return cls is None or isinstance(getattr(cls, "__hash__", None), FunctionType)


def _class(kind: str) -> Any:
    module, _, name = kind.rpartition(".")
    return getattr(sys.modules.get(module), name, None)


def _told(part: _Part, whole: _Part, root: str, end: float) -> str:
    """Return the shortest path from the whole to a part, with the part's type."""
    path, known, queue = root, {id(whole)}, deque([(whole, root, 0)])
    while queue and time.monotonic() < end:
        holder, where, steps = queue.popleft()
        if holder is part:
            path = where
            break
        for item, before, behind, _ in holder.items:
            if id(item) not in known:
                known.add(id(item))
                inside = where if steps < 0 else f"{before}{where}{behind}"
                # The parts of a part without a path have no path either.
                is_hidden = steps < 0 or not before + behind
                if steps < _STEPS_MAX:
                    queue.append((item, inside, -1 if is_hidden else steps + 1))
    kind = (part.text if part.kind == "type" else part.kind).removeprefix("builtins.")
    return f"{path} ({'an' if kind[:1].lower() in 'aeio' else 'a'} {kind})"


def _written(key: _Part) -> str:
    if key.kind != "str":
        return key.text or key.kind
    text = '"' + repr(key.text)[1:-1].replace('"', '\\"') + '"'
    return text if len(text) <= _KEY_CHARS else text[:_KEY_CHARS] + "..."
