"""Classes that name each other in their annotations are understood where they arrive."""

from __future__ import annotations

import json

import pytest
from support.scripts import Scripts

TASKS = """
import bgpy

def init_task():
    return {}

def exec_task(client_socket, state, args):
    bgpy.respond(client_socket, args[0](*args[1:]))

def exit_task(client_socket, state, args):
    pass
"""
CLASSES = """
{future}
import dataclasses, enum, typing
{imports}

class Color(enum.Enum):
    RED = "red"

{classes}
"""
KINDS = {
    "dataclass": (
        "",
        """
@dataclasses.dataclass
class Node:
    value: "int"
    next: "Node | None" = None
    more: "list[Other]" = dataclasses.field(default_factory=list)
    color: typing.Optional["Color"] = None
    hidden: "Missing" = None
    of: typing.ClassVar["Node"] = None

@dataclasses.dataclass
class Other:
    node: "typing.Optional[Node]" = None
    same: "typing.Annotated[Other, 'x'] | None" = None
""",
    ),
    "plain": (
        "",
        """
class Base:
    base: "Node"

class Node(Base):
    value: "int"
    next: "Node | None" = None
    more: "dict[str, list[Other]]"
    color: "Color"

class Other:
    node: "Node"
    same: "type[Other]"
""",
    ),
    "typed": (
        "",
        """
class Node(typing.TypedDict):
    value: "int"
    next: "Node | None"
    more: "list[Other]"

class Other(typing.NamedTuple):
    node: "Node | None" = None
    same: "Other | None" = None
""",
    ),
}
HINTS = """
def hints(cls):
    found = {}
    for name in cls.__annotations__:
        part = type("Part", (), {"__annotations__": {name: cls.__annotations__[name]},
                                 "__module__": cls.__module__})
        try:
            found[name] = repr(typing.get_type_hints(part, include_extras=True)[name])
        except (NameError, TypeError) as error:
            found[name] = type(error).__name__
    return found

def parts(cls):
    return [getattr(cls, "__args__", ())]

def ask(node, other):
    whole = {}
    for cls in (node, other):
        try:
            whole[cls.__name__] = sorted(typing.get_type_hints(cls))
        except NameError as error:
            whole[cls.__name__] = str(error)
    is_own = typing.get_type_hints(other)["node"]
    return hints(node), hints(other), whole, is_own == node or node in typing.get_args(is_own)

if __name__ == "__main__":
    import json, sys
    import bgpy

    with bgpy.Client("127.0.0.1", int(sys.argv[1])) as client:
        there = client.call((ask, Node, Other))
    print(json.dumps([there, ask(Node, Other)]))
"""


@pytest.mark.parametrize("future", ["", "from __future__ import annotations"])
@pytest.mark.parametrize("kind", KINDS)
def test_hints_mean_what_they_mean_in_the_script(scripts: Scripts, start, kind, future):
    imports, classes = KINDS[kind]
    server = start(init_file=scripts.write("anything.py", TASKS))
    text = CLASSES.format(future=future, imports=imports, classes=classes) + HINTS
    there, here = json.loads(scripts.run(text.lstrip(), server.port))
    assert there == here
    assert there[3] is True


STRUCT = """
import sys
import bgpy, msgspec, typing

class Node(msgspec.Struct):
    value: int = 0
    next: "Node | None" = None
    others: "list[Other]" = []

class Other(msgspec.Struct, tag=True):
    node: typing.Optional["Node"] = None
    kind: "typing.ClassVar[int]" = 3

def decode(text, cls):
    return msgspec.json.decode(text, type=cls)

with bgpy.Client("127.0.0.1", int(sys.argv[1])) as client:
    text = b'{"value": 1, "next": {"value": 2, "others": [{"type": "Other", "node": {}}]}}'
    node = client.call((decode, text, Node))
    assert node == decode(text, Node), node
    assert client.call((msgspec.json.encode, node)) == msgspec.json.encode(node)
    print(type(node) is Node, type(node.next.others[0]) is Other, Other.kind)
"""


def test_structs_are_decoded(scripts: Scripts, start):
    pytest.importorskip("msgspec")
    server = start(init_file=scripts.write("anything.py", TASKS))
    assert scripts.run(STRUCT, server.port) == "True True 3\n"


MODEL = """
{future}
import sys
import bgpy, pydantic, typing

class Node(pydantic.BaseModel):
    value: int = 0
    next: "Node | None" = None
    others: "list[Other]" = []

class Other(pydantic.BaseModel):
    node: typing.Optional["Node"] = None

def check(data, cls, other):
    made = cls.model_validate(data)
    hints = typing.get_type_hints(other)
    return made, cls in typing.get_args(hints["node"])

with bgpy.Client("127.0.0.1", int(sys.argv[1])) as client:
    data = {{"value": 1, "next": {{"value": 2, "others": [{{"node": {{"value": 3}}}}]}}}}
    node, is_own = client.call((check, data, Node, Other))
    assert node == Node.model_validate(data), node
    print(type(node) is Node, type(node.next.others[0]) is Other, is_own)
"""


@pytest.mark.parametrize("future", ["", "from __future__ import annotations"])
def test_models_are_validated(scripts: Scripts, start, future):
    pytest.importorskip("pydantic")
    server = start(init_file=scripts.write("anything.py", TASKS))
    assert scripts.run(MODEL.format(future=future).lstrip(), server.port) == "True True True\n"


def test_what_only_an_annotation_names_need_not_travel(scripts: Scripts, start):
    server = start(init_file=scripts.write("anything.py", TASKS))
    text = """
        from __future__ import annotations

        import dataclasses, sys, threading, typing
        import bgpy

        class Owner:
            lock = threading.Lock()

        @dataclasses.dataclass
        class Job:
            owner: Owner | None = None

        with bgpy.Client("127.0.0.1", int(sys.argv[1])) as client:
            print(client.call((repr, Job())), isinstance(client.call((Job,)), Job))
            try:
                client.call((repr, Job(Owner.lock)))
            except bgpy.SerializationError as error:
                print(error)
    """
    printed = scripts.run(text, server.port).splitlines()
    assert printed[0] == "Job(owner=None) True"
    assert "args[1].owner" in printed[1]
    assert "lock" in printed[1]
