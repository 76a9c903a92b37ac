"""Find out why the class or tasks of a server cannot be loaded, without running any of their code.

Arguments: `file` or `module`; its path or name; the class or function in it, or an empty text if it
has tasks; and the additional directories of the search path.
"""

import ast
import builtins
import importlib.util
import os
import sys
import sysconfig

import bgpy._background  # noqa: F401

# The fewest and the most arguments that a server passes.
TASKS = {"init_task": (0, 1), "exec_task": (3, 3), "exit_task": (3, 3)}
# Names that can define other names without an assignment in the source.
DYNAMIC = {"__getattr__", "_convert_", "exec", "globals", "locals", "modules", "setattr", "vars"}
# Names that can add builtins, which every module finds.
INSTALLERS = {"__builtins__", "builtins", "install"}
# Names that are always defined.
GIVEN = {*dir(builtins), "__annotations__", "__file__", "__module__", "__qualname__"}
INSTALLED = tuple(
    os.path.join(path, "")
    for path in map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))
    if path
)


def find(name):
    """Find a module like an import does, but without running its parent packages."""
    parts = name.split(".")
    for end in range(1, len(parts)):
        package = ".".join(parts[:end])
        spec = importlib.util.find_spec(package)
        if spec is None or spec.submodule_search_locations is None:
            return None
        sys.modules.setdefault(package, importlib.util.module_from_spec(spec))
    return importlib.util.find_spec(name)


def is_installed(spec):
    """Whether a module is installed, so that it does not change the search for others."""
    return not spec.has_location or str(spec.origin).startswith(INSTALLED)


def parse(text, place):
    """Compile the source, and return its syntax tree and all names in it."""
    try:
        tree = ast.parse(text, place)
        codes = [compile(text, place, "exec", dont_inherit=True)]
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if getattr(error, "lineno", None) else ""
        words = getattr(error, "msg", error)
        sys.exit(f"{type(error).__name__} in {place}{line}: {words}")
    names = set()
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, type(code))]
    return tree, names


def check_imports(tree, place, seen):
    """Refuse source that starts with an import that must fail, also in the user's own modules."""
    is_certain = True
    for node in tree.body:
        match node:
            case ast.Import():
                names = [alias.name.partition(".")[0] for alias in node.names]
            case ast.ImportFrom(level=0):
                names = [node.module.partition(".")[0]]
            case ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                continue
            case _:
                # It may change how modules are found.
                is_certain = False
                continue
        for name in names:
            try:
                spec = importlib.util.find_spec(name)
            except (ImportError, ValueError):
                continue
            if spec is None:
                if is_certain:
                    sys.exit(f"{place}, line {node.lineno}: no module named {name!r}")
            elif not is_installed(spec):
                is_certain = False
                if name not in seen:
                    seen.add(name)
                    text = source(spec)
                    if text is not None:
                        check_imports(parse(text, spec.origin)[0], spec.origin, seen)


def defined(tree):
    """Return all names that the source binds anywhere."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]
            case ast.AST(name=str() as name) | ast.MatchMapping(rest=str() as name):
                yield name


def looked_up(node):
    """Return the names that are certainly looked up when a statement runs."""
    match node:
        case ast.Name(ctx=ast.Load()):
            yield node
            return
        case ast.Expr() | ast.Assign() | ast.AugAssign() | ast.AnnAssign() | ast.Return():
            parts = [node.value]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            parts = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
        case ast.ClassDef():
            parts = [*node.decorator_list, *node.bases, *node.body]
        case ast.Call():
            parts = [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
        case ast.Attribute() | ast.Starred():
            parts = [node.value]
        case ast.Subscript():
            parts = [node.value, node.slice]
        case ast.BinOp():
            parts = [node.left, node.right]
        case ast.UnaryOp():
            parts = [node.operand]
        case ast.List() | ast.Tuple() | ast.Set():
            parts = node.elts
        case ast.Dict():
            parts = [*node.keys, *node.values]
        case _:
            # Parts of it may not run.
            return
    for part in parts:
        if part is not None:
            yield from looked_up(part)


def check_names(tree, place, names):
    """Refuse source that looks up an undefined name."""
    if names & INSTALLERS:
        return
    known = GIVEN.union(defined(tree))
    for node in tree.body:
        for name in looked_up(node):
            if name.id not in known:
                sys.exit(f"{place}, line {name.lineno}: name {name.id!r} is not defined")


def check_parameters(task, place):
    """Refuse a task that cannot be called with the arguments that a server passes."""
    given = task.args
    named = len(given.posonlyargs) + len(given.args)
    least, most = TASKS[task.name]
    # A decorator may change the parameters.
    if task.decorator_list:
        return
    needs = named - len(given.defaults)
    takes = most if given.vararg else named
    if needs > most or takes < least or None in given.kw_defaults:
        wanted = f"{least}" if least == most else f"{least} or {most}"
        sys.exit(
            f"{place}, line {task.lineno}: {task.name} must take the {wanted} arguments that a "
            "server passes"
        )


def source(spec):
    """Return the source of a module, if it has any."""
    get = getattr(spec.loader, "get_source", None)
    try:
        return get(spec.name) if get else None
    except (ImportError, SyntaxError, UnicodeDecodeError) as error:
        sys.exit(f"{spec.origin} cannot be read: {error}")


def check_tasks(tree, place):
    """Refuse tasks that a server cannot call."""
    for node in tree.body:
        if isinstance(node, ast.AsyncFunctionDef) and node.name in TASKS:
            sys.exit(f"{place}, line {node.lineno}: {node.name} must not be an 'async def'")
        if isinstance(node, ast.FunctionDef) and node.name in TASKS:
            check_parameters(node, place)


def main(kind, tasks, factory, *places):
    """Check the class or the tasks."""
    sys.path += [place for place in places if place not in sys.path]
    if kind == "file":
        sys.path.append(os.path.dirname(tasks))
        with open(tasks, "rb") as file:
            place, text = tasks, file.read()
    elif tasks:
        sys.path.append(os.getcwd())
        spec = find(tasks)
        if spec is None:
            sys.exit(f"no module named {tasks!r}")
        place, text = spec.origin, source(spec)
    else:
        return
    if text is None:
        return
    tree, names = parse(text, place)
    check_imports(tree, place, set())
    if not factory:
        check_tasks(tree, place)
    stars = any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)
    )
    if stars or names & DYNAMIC:
        return
    check_names(tree, place, names)
    # A class in a class may be inherited from elsewhere.
    needed = [factory.partition(".")[0]] if factory else ["init_task", "exec_task"]
    for name in needed:
        if name not in names:
            sys.exit(f"{place} does not define {name}")


main(*sys.argv[1:])
# A program that is not Python may exit with 0, too.
print("checked")
