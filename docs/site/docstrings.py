"""What the reference lacks when it reads the stubs of the extension module alone.

Stubs have types and no docstrings; the module itself has docstrings and no types. This extension of
griffe, which reads both for the reference, brings the docstrings to the stubs, and shows the
parameters of a class, which those of the extension module take in `__new__`, and methods of which
there are overloads only.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import griffe

import bgpy


class Docstrings(griffe.Extension):
    """Fills in what the public names of the package lack."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Add the methods of which a stub has overloads only: griffe would drop them."""
        for name, overloads in cls.overloads.items():
            if overloads and name not in cls.members:
                cls.members[name] = overloaded(cls, name, overloads)

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Complete the package once it was read."""
        for name in bgpy.__all__:
            member = pkg[name]
            complete(member.final_target if member.is_alias else member, getattr(bgpy, name))


def one_by_one(text: str) -> str:
    """Return a docstring in which each parameter has an entry, also where several share a text.

    Griffe gives all names of an entry the type and the default of the first.
    """

    def split(entry: re.Match[str]) -> str:
        names, kind, about = entry.groups()
        return "".join(f"{name}{kind or ''}\n{about}" for name in names.split(", "))

    before, head, rest = text.partition("Parameters\n----------\n")
    parameters, gap, after = rest.partition("\n\n")
    entry = r"^(\w+(?:, \w+)+)( : .*)?\n((?: {4}.*\n)+)"
    each = re.sub(entry, split, parameters + "\n", flags=re.MULTILINE).removesuffix("\n")
    return before + head + each + gap + after


def linked(text: str) -> str:
    """Return a docstring whose names of bgpy, in single backticks, lead to their descriptions."""

    def link(found: re.Match[str]) -> str:
        name = found[1].removeprefix("bgpy.")
        is_known = name.partition(".")[0] in bgpy.__all__
        return f"[`{name}`][bgpy.{name}]" if is_known else found[0]

    return re.sub(r"(?<!`)`([\w.]+)`(?!`)", link, text)


def overloaded(cls: griffe.Class, name: str, overloads: list[griffe.Function]) -> griffe.Function:
    """Return a method that has these overloads; it is described like the first."""
    first = overloads[0]
    method = griffe.Function(
        name,
        parameters=first.parameters,
        returns=first.returns,
        docstring=first.docstring,
        parent=cls,
    )
    method.overloads = overloads
    return method


def public(cls: type) -> list[str]:
    """Return the public names of a class of the extension, except those that each mapping has."""
    known = dir(Mapping) if issubclass(cls, Mapping) else ()
    return [name for name in vars(cls) if not name.startswith("_") and name not in known]


def complete(member: griffe.Object, real: object) -> None:
    """Complete an object and, when it is a class, what is in it."""
    text = inspect.getdoc(real) if callable(real) or inspect.isdatadescriptor(real) else None
    if member.docstring is None and text:
        member.docstring = griffe.Docstring(text, parent=member, parser=griffe.Parser.numpy)
    if member.docstring is not None:
        member.docstring.value = linked(one_by_one(member.docstring.value))
    if isinstance(member, griffe.Class):
        lacking = set(public(real)) - member.members.keys()
        if lacking and real.__module__ == "bgpy":
            raise ValueError(f"the stub of {member.name} lacks {', '.join(sorted(lacking))}")
        for inner in member.members.values():
            complete(inner, getattr(real, inner.name, None))
        new = member.members.get("__new__")
        if isinstance(new, griffe.Function):
            del member.members["__new__"]
            start = griffe.Function("__init__", parameters=new.parameters, parent=member)
            start.parameters["cls"].name = "self"
            member.members["__init__"] = start
