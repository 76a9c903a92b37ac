"""What shares a variable of an enclosing function shares it in each message that brings it."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

# The server keeps all that it gets. A message brings some of the parts, in any order.
RUN = """
import functools, itertools, sys
from bgpy import connect, respond, start

def exec_task(client_socket, state, args):
    ask, tell, variables, parts = args
    # Nothing that arrived before is changed by what arrives.
    kept = state.setdefault("kept", [])
    is_same = all(before == told(old) for told, old, before in kept)
    found = ask(parts) if ask else None
    kept.append((tell, parts, tell(parts)))
    respond(client_socket, (is_same, found, variables and variables(parts)))

def variables(parts):
    "Tell which functions have which variables in common."
    number = {}
    for name in sorted(parts):
        held = parts[name]
        for each in vars(held).values() if isinstance(held, type) else [held]:
            each = getattr(each, "func", getattr(each, "__wrapped__", each))
            for free, cell in zip(each.__code__.co_freevars, each.__closure__ or ()) \
                    if hasattr(each, "__code__") else ():
                number.setdefault((free, id(cell)), []).append((name, each.__name__))
    return sorted((free, users) for (free, _), users in number.items())

{definitions}

def tell(parts):
    return [parts[name]() for name in sorted(parts) if name.startswith("get")]

if __name__ == "__main__":
    parts = make()
    with start((dict, exec_task, lambda *_: None)) as server:
        client = connect(server.target)
        for names in itertools.islice(itertools.permutations(parts), 8):
            for step in range(3):
                # Once as before, once changed here, once after the last one came alone.
                if step == 1:
                    change(parts)
                elif step == 2:
                    client.call((None, tell, None, {names[-1]: parts[names[-1]]}))
                sent = {name: parts[name] for name in names}
                found = client.call((ask, tell, variables, sent))
                if found[0] or any(isinstance(it, type) for it in parts.values()):
                    found = (True, *found[1:])
                if found != (True, True, variables(parts)):
                    print(names, step, found, variables(parts))
"""

COUNTER = """
def make():
    n = 0
    {more}
    def inc():
        nonlocal n
        n += 1
    def get():
        return n
    return {parts}

def change(parts):
    {change}

def ask(parts):
    get, inc = {get}, {inc}
    before = get()
    inc()
    return get() == before + 1
"""


def counter(
    parts: str,
    more: str = "",
    change: str = "parts['inc']()",
    get: str = "parts['get']",
    inc: str = "parts['inc']",
) -> str:
    more = indent(dedent(more), "    ").strip()
    return COUNTER.format(parts=parts, more=more, change=change, get=get, inc=inc)


CASES = {
    "two functions": counter("dict(inc=inc, get=get)"),
    "three functions": counter(
        "dict(inc=inc, get=get, get_twice=get_twice)",
        "def get_twice():\n    return 2 * n",
    ),
    "a function that the client keeps for itself": counter(
        "dict(get=get, get_twice=get_twice, hidden=hidden)",
        "def get_twice():\n    return 2 * n\ndef hidden():\n    return inc, get_twice",
        "parts['hidden'].__closure__[1].cell_contents()",
        "lambda: parts['get']()",
        "parts['hidden']()[0]",
    ),
    "variables of two functions": counter(
        "dict(inc=inc, get=get, get_both=inner()[0], add=inner()[1])",
        """
        def inner():
            m = 0
            def get_both():
                return n, m
            def add():
                nonlocal m
                m += 1
                return n
            return get_both, add
        """,
        "parts['inc'](), parts['add']()",
    ),
    "methods": counter(
        "dict(inc=inc, get=get, Part=Part)",
        """
        class Part:
            def read(self):
                return n
            def inc(self):
                nonlocal n
                n += 1
        """,
        get="lambda: (parts['get']() + parts['Part']().read()) / 2",
        inc="parts['Part']().inc",
    ),
    "a method that calls a function": counter(
        "dict(get=get, Part=Part)",
        "class Part:\n    def inc(self):\n        inc()",
        "parts['Part']().inc()",
        inc="parts['Part']().inc",
    ),
    "attributes of a class": counter(
        "dict(get=get, Part=Part)",
        "class Part:\n    pass\ndef late():\n    Part.inc = staticmethod(inc)\n    return Part",
        "parts['Part'].inc()",
        inc="parts['Part'].inc",
    ).replace("Part=Part)", "Part=late())"),
    "default arguments": counter(
        "dict(inc=inc, get=get, get_more=functools.partial(get_more, get))",
        "def get_more(get):\n    return get() + n",
        get="lambda: parts['get_more']() / 2",
    ),
    "a function that calls one": counter(
        "dict(inc=inc, get=get, get_more=get_more())",
        "def get_more():\n    def more(get=get):\n        return get()\n    return more",
        get="parts['get_more']",
    ),
    "a cache": counter(
        "dict(inc=inc, get=get, get_same=get_same)",
        "@functools.lru_cache(0)\ndef get_same():\n    return n",
        get="parts['get_same']",
    ),
    "a decorator": """
        def make():
            is_on = False
            def toggle():
                nonlocal is_on
                is_on = not is_on
            def switched(function):
                @functools.wraps(function)
                def call(*args):
                    return is_on and function(*args)
                return call
            @switched
            def job():
                return True
            return dict(toggle=toggle, get=job)

        def change(parts):
            parts["toggle"]()

        def ask(parts):
            before = parts["get"]()
            parts["toggle"]()
            return parts["get"]() != before
    """,
    "a generator": """
        def make():
            return next(steps)

        def generate():
            step, seen = 0, None
            def get():
                return step, seen
            def see():
                nonlocal seen
                seen = step
            def get_step():
                return step
            while True:
                yield dict(get=get, see=see, get_step=get_step)
                step += 1

        steps = generate()

        def change(parts):
            next(steps)

        def ask(parts):
            parts["see"]()
            return parts["get"]() == (parts["get_step"](),) * 2
    """,
    "a variable that holds a class": """
        def make():
            class Part:
                n = 0
            class Other(Part):
                n = 1
            kind = Part
            def swap():
                nonlocal kind
                kind = Other if kind is Part else Part
            def get():
                return kind.n
            def get_made():
                return kind().n
            return dict(swap=swap, get=get, get_made=get_made)

        def change(parts):
            parts["swap"]()

        def ask(parts):
            before = parts["get"]()
            parts["swap"]()
            return (parts["get"](), parts["get_made"]()) == (1 - before,) * 2
    """,
    "recursive functions": """
        def make():
            n = 0
            def even(k=4):
                return n if k == 0 else get_odd(k - 1)
            def get_odd(k=3):
                return even(k - 1) if k else None
            def get():
                return even(2)
            def inc():
                nonlocal n
                n += 1
            return dict(get=get, inc=inc, even=even, get_odd=get_odd)

        def change(parts):
            parts["inc"]()

        def ask(parts):
            before = parts["get"]()
            parts["inc"]()
            return parts["get"]() == parts["even"]() == before + 1
    """,
    "a variable that no function assigns to": """
        def make():
            n, cell = 1, (lambda: n).__closure__[0]
            def get():
                return n
            def get_more():
                return n + 1
            @functools.cache
            def cached():
                return n
            class Part:
                def get(self):
                    return n
            make.cell = get.__closure__[0]
            return dict(get=get, get_more=get_more, cached=cached, Part=Part)

        def change(parts):
            make.cell.cell_contents += 1

        def ask(parts):
            return len({parts["get"](), parts["get_more"]() - 1, parts["Part"]().get()}) == 1
    """,
}


@pytest.mark.parametrize("case", CASES)
def test_what_shares_a_variable_shares_it_in_each_message(scripts, case):
    assert scripts.run(RUN.replace("{definitions}", dedent(CASES[case]))) == ""
