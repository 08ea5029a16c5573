"""The house stands as docs say: imports point down, none of them in a circle, no room is too large."""

import ast
from functools import cache
from pathlib import Path

import sigraph

TOP = Path(sigraph.__file__).parent
# From what people call to what everything stands on; rooms of one floor may import each other, but in no circle.
FLOORS = (
    ("__main__", "cli", "commands", "sklearn"),
    ("proposal",),
    ("experiment", "running"),
    ("report", "export"),
    ("leaderboard",),
    ("arms",),
    ("pretrain", "finetune", "collate"),
    ("theory",),
    ("evaluation",),
    ("losses", "samplers", "graphs", "synthetic", "objectives", "encoders", "targets", "graph_networks"),
    ("recipes", "tables"),
    ("data",),
    ("tasks", "readers"),
    ("samples",),
    ("neighbors",),
    ("edges",),
    ("machines",),
    ("config",),
    ("files",),
)
LARGEST_ROOM = 0.12  # of all lines
LONGEST_MODULE = 400  # lines; 300 is what to aim at
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


@cache
def modules():
    """Path by dotted name below ``sigraph``; data that a wheel carries is no code."""
    files = {file.relative_to(TOP).with_suffix(""): file for file in TOP.rglob("*.py")}
    return {
        ".".join(name.parts).removesuffix(".__init__"): file
        for name, file in files.items()
        if "_shipped" not in name.parts and name.parts != ("__init__",)
    }


@cache
def imports(name):
    """Modules below ``sigraph`` that a module imports, anywhere in its text, also for type checkers alone."""
    found = set()
    for node in ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {one if one.removeprefix("sigraph.") in modules() else node.module for one in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    below = {one.removeprefix("sigraph.") for one in found if one.startswith("sigraph.")}
    return {one for one in below if one in modules()} - {name}


def room(name):
    return name.partition(".")[0]


def circle(edges):
    """Some names that lead from one back to itself; None if none do."""
    state, path = {}, []

    def visit(name):
        state[name] = "open"
        path.append(name)
        for other in sorted(edges.get(name, ())):
            if state.get(other) == "open":
                return [*path[path.index(other) :], other]
            if other not in state and (found := visit(other)):
                return found
        state[name] = "done"
        path.pop()
        return None

    return next((found for name in sorted(edges) if name not in state and (found := visit(name))), None)


def test_every_room_has_a_floor():
    assert {room(name) for name in modules()} == set(FLOOR)


def test_imports_point_down():
    wrong = [
        f"{name} imports {other}"
        for name in modules()
        for other in imports(name)
        if FLOOR[room(other)] < FLOOR[room(name)]
    ]
    assert not wrong, "\n".join(sorted(wrong))


def test_no_module_and_no_room_imports_itself_through_others():
    # What a package hands on is looked at where it is defined.
    plain = {name: imports(name) for name in modules() if modules()[name].name != "__init__.py"}
    assert circle({name: others & plain.keys() for name, others in plain.items()}) is None
    rooms = {one: {room(other) for name in modules() if room(name) == one for other in imports(name)} for one in FLOOR}
    assert circle({one: others - {one} for one, others in rooms.items()}) is None


def test_no_room_and_no_module_is_too_large():
    lines = {name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in modules().items()}
    total = sum(lines.values())
    size = {one: sum(count for name, count in lines.items() if room(name) == one) for one in FLOOR}
    assert {one: count for one, count in size.items() if count > LARGEST_ROOM * total} == {}
    assert {name: count for name, count in lines.items() if count > LONGEST_MODULE} == {}


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None
