"""Figures of the house: ``python -m tests.figures`` prints each beside its limit, and ends with 1 where one is over."""

import ast
import re
import sys
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from statistics import median

from lmerbridge import LmerFit
from tests.test_floors import MODULES, ours

TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
LIMITS = {
    "modules at the top": 22,
    "own imports per module": 3.8,
    "modules in circles of imports": 0,
    "classes of ours in LmerFit's MRO": 4,
    "public names with two meanings": 15,
    "first sentences with a semicolon, %": 3,
    "lines of the longest function": 60,
    "lines of the median function": 6,
}


def tops():
    """Modules and packages directly below the package."""
    return {name.partition(".")[0] for name in MODULES}


def circle():
    """Modules that import one another; none where imports run in no circle."""
    try:
        TopologicalSorter({name: ours(name) for name in MODULES}).prepare()
    except CycleError as error:
        return error.args[1][1:]
    return []


def own_imports(name):
    """Our modules and packages that a module's imports name."""
    statements = (node for node in ast.walk(TREES[name]) if isinstance(node, ast.ImportFrom))
    return {node.module for node in statements if node.module.startswith("lmerbridge")}


def twice():
    """Public functions and classes that two modules define under one name, with their modules."""
    homes = defaultdict(list)
    for name, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, FUNCTION | ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name)
    return {name: modules for name, modules in homes.items() if len(set(modules)) > 1}


def first_sentences():
    """First paragraph of every docstring, by place."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, FUNCTION | ast.ClassDef | ast.Module) and (text := ast.get_docstring(node)):
                yield f"{name}:{getattr(node, 'name', 'module')}", text.split("\n\n")[0]


def semicolons():
    """Places whose first sentence has a semicolon."""
    return [place for place, text in first_sentences() if re.match(r"[^.]*;", text)]


def functions():
    """Lines of each function without its docstring, by place."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, FUNCTION):
                text = ast.get_docstring(node, clean=False)
                doc = len(text.splitlines()) if text else 0
                yield f"{name}:{node.name}", node.end_lineno - node.lineno + 1 - doc


def figures():
    """Each figure by the name of its limit."""
    lines = dict(functions())
    return {
        "modules at the top": len(tops()),
        "own imports per module": sum(len(own_imports(name)) for name in MODULES) / len(MODULES),
        "modules in circles of imports": len(circle()),
        "classes of ours in LmerFit's MRO": sum(c.__module__.startswith("lmerbridge") for c in LmerFit.__mro__),
        "public names with two meanings": len(twice()),
        "first sentences with a semicolon, %": 100 * len(semicolons()) / sum(1 for _ in first_sentences()),
        "lines of the longest function": max(lines.values()),
        "lines of the median function": median(lines.values()),
    }


def details():
    """Lines that name what is counted."""
    importers = sorted(((len(own_imports(name)), name) for name in MODULES), reverse=True)[:8]
    yield "most own imports: " + ", ".join(f"{name} {count}" for count, name in importers)
    yield "two meanings: " + ", ".join(sorted(twice()))
    yield "semicolons: " + ", ".join(semicolons())
    longest = sorted(functions(), key=lambda pair: -pair[1])[:5]
    yield "longest: " + ", ".join(f"{place} {lines}" for place, lines in longest)


if __name__ == "__main__":
    found = figures()
    for name, value in found.items():
        print(f"{name:38} {value:8.4g}   at most {LIMITS[name]}")
    print(*details(), sep="\n")
    sys.exit(any(found[name] > limit for name, limit in LIMITS.items()))
