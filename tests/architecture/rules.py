"""The rules for Python code: each takes a module and yields its breaches as sentences."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import Module

LONGEST_MODULE = 400
LONGEST_FUNCTION = 40
BOUNDARY = re.compile(r"#\s*boundary: \S")
FORBIDDEN = re.compile("|".join((r"\bTO" + "DO\\b", r"\bFIX" + "ME\\b", r"\.\./sha" + "red", r"/wo" + "rk/")))

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def too_long(module: Module) -> Iterator[str]:
    """Modules over 400 lines, functions over 40."""
    if len(module.lines) > LONGEST_MODULE:
        yield f"{module.name} has {len(module.lines)} lines"
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{module.name}:{node.lineno} {node.name} has {length} lines"


def undocumented(module: Module) -> Iterator[str]:
    """Modules, and their public classes, functions and methods, without a docstring."""
    if not ast.get_docstring(module.tree):
        yield f"{module.name} has no docstring"
    for node in _public(module.tree):
        if not ast.get_docstring(node):
            yield f"{module.name}:{node.lineno} {node.name} has no docstring"


def unexplained_broad_excepts(module: Module) -> Iterator[str]:
    """Handlers of everything without `# boundary: <why>`, unless they only clean up and raise again."""
    handlers = [node for node in ast.walk(module.tree) if isinstance(node, ast.ExceptHandler)]
    for handler in handlers:
        stops_it = _is_broad(handler.type) and not _raises_again(handler)
        if stops_it and not BOUNDARY.search(module.lines[handler.lineno - 1]):
            yield f"{module.name}:{handler.lineno} catches everything and does not say why"


def sleeps(module: Module) -> Iterator[str]:
    """Waiting for a time to pass instead of for a condition."""
    for node in ast.walk(module.tree):
        imported = isinstance(node, ast.ImportFrom) and any(alias.name == "sleep" for alias in node.names)
        called = isinstance(node, ast.Attribute) and node.attr == "sleep"
        if imported or called:
            yield f"{module.name}:{node.lineno} sleeps"  # type: ignore[attr-defined]


def forbidden_words(name: str, text: str) -> Iterator[str]:
    """Unfinished work and names of places outside the repository."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := FORBIDDEN.search(line):
            yield f"{name}:{number} says {found[0]}"


def failpoints(module: Module) -> Iterator[tuple[str, str]]:
    """Each call of failpoint: where it stands, and its name ("" where the name is computed)."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called == "failpoint":
            name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
            yield f"{module.name}:{node.lineno}", str(name)


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_") and not _repeats_another(node):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _repeats_another(node: Definition) -> bool:
    """Overloads and setters speak for what another definition documents."""
    names = {getattr(decorator, "attr", getattr(decorator, "id", "")) for decorator in node.decorator_list}
    return bool(names & {"overload", "setter", "deleter"})


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(part, ast.Name) and part.id in ("Exception", "BaseException") for part in parts)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    leaves = any(isinstance(node, ast.Return | ast.Break | ast.Continue) for node in ast.walk(handler))
    return isinstance(last, ast.Raise) and last.exc is None and not leaves
