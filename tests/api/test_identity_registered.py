"""A class that was registered with an abstract one stays registered with it."""

from __future__ import annotations

from textwrap import dedent

import pytest

RUN = """
import abc, functools, gc, weakref
from bgpy import connect, respond, start

def exec_task(client_socket, state, args):
    ask, *rest = args
    # A class that arrived and that nothing holds is gone.
    gc.collect()
    found = ask(state, *rest)
    del rest, args
    gc.collect()
    respond(client_socket, found)

def keep(state, **more):
    state.update(more)

def make(base=abc.ABC):
    class Shape(base):
        @abc.abstractmethod
        def area(self): ...
    class Flat:
        def shape(self):
            return Shape
    return Shape, Flat

def use(there):
    # Not variables of the module: the last class of each name is kept for a while.
    Shape, Flat = make()
    Shape.register(Flat)
    {use}

if __name__ == "__main__":
    with start((dict, exec_task, lambda *_: None)) as server:
        client = connect(server.target)
        use(lambda *args: client.call(args))
"""

CASES = {
    "the abstract class alone, then both": """
        there(lambda state, shape: keep(state, shape=shape), Shape)
        print(there(lambda state, shape, flat: (shape is state["shape"], issubclass(flat, shape)),
                    Shape, Flat))
    """,
    "the abstract class alone, then the other alone": """
        there(lambda state, shape: keep(state, shape=shape), Shape)
        print(there(lambda state, flat: (issubclass(flat, state["shape"]),) * 2, Flat))
    """,
    "an object of a class derived from it": """
        class Square(Flat): pass
        there(lambda state, shape: keep(state, shape=shape), Shape)
        print(there(lambda state, it: (isinstance(it, state["shape"]), True), Square()))
    """,
    "registered with a class that is derived": """
        Solid, Ball = make(Shape)
        Solid.register(Ball)
        there(lambda state, *shapes: keep(state, shapes=shapes), Shape)
        there(lambda state, *shapes: keep(state, shapes=[*state["shapes"], *shapes]), Solid)
        print(there(lambda state, it: tuple(issubclass(it, to) for to in state["shapes"]), Ball))
    """,
    "registered later": """
        there(lambda state, shape: keep(state, shape=shape), Shape)
        class Late: pass
        Shape.register(Late)
        there(lambda state, shape: None, Shape)
        print(there(lambda state, *late: tuple(issubclass(it, state["shape"]) for it in late),
                    Late, Flat))
    """,
    "registered in place of one with the same name": """
        there(lambda state, shape: keep(state, shape=shape), Shape)
        _, Flat = make()
        gc.collect()
        Shape.register(Flat)
        there(lambda state, shape: None, Shape)
        print(there(lambda state, flat: (issubclass(flat, state["shape"]), True), Flat))
    """,
    "nobody holds either": """
        there(lambda state, shape, flat: keep(state, refs=[weakref.ref(shape), weakref.ref(flat)]),
              Shape, Flat)
        print(there(lambda state: tuple(it() is None for it in state["refs"])))
    """,
    "the last one nobody holds": """
        there(lambda state, shape: keep(state, shape=shape), Shape)
        there(lambda state, flat: keep(state, ref=weakref.ref(flat)), Flat)
        print(there(lambda state: (state["ref"]() is not None, state.pop("shape") is not None)))
        print(there(lambda state: (state["ref"]() is None, True)))
    """,
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_registered_stays_registered(scripts, case):
    use = dedent(CASES[case]).strip().replace("\n", "\n    ")
    assert set(scripts.run(RUN.replace("{use}", use)).splitlines()) == {"(True, True)"}
