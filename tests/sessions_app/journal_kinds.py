"""The kinds of journal entries, read from the source of the verbs that write them."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("sessions_app", "monitoring", "devices")
# How entries are written: the name of the function, and where in its arguments the kind stands.
WRITERS = {"append": 1, "note_change": 1, "_note": 1, "_set_deleted": 2, "EventRow": 3}
BY_NAME = {"move", "insert_event", "append", "create", "SessionEvent"}


def _constants(node: ast.expr) -> set[str]:
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _named(tree: ast.Module) -> dict[str, set[str]]:
    """Names that stand for a word, or for one of two, in this source."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Constant, ast.IfExp)):
            value = node.value
            parts = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
            words = set().union(*(_constants(part) for part in parts))
            for target in node.targets:
                if isinstance(target, ast.Name) and words:
                    found.setdefault(target.id, set()).update(words)
    return found


def kinds_in(source: str) -> set[str]:
    """Words that stand where a verb names the kind of its entry."""
    found: set[str] = set()
    tree = ast.parse(source)
    named = _named(tree)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = _name(call)
        place = WRITERS.get(name)
        if place is not None and len(call.args) > place and not isinstance(call.args[place], ast.Dict):
            found |= _constants(call.args[place])
            if isinstance(call.args[place], ast.Name):
                found |= named.get(call.args[place].id, set())
        if name in BY_NAME:
            for keyword in call.keywords:
                if keyword.arg == "kind":
                    value = keyword.value
                    if isinstance(value, ast.Name):
                        found |= named.get(value.id, set())
                    # `a if test else b` names a and b; the test is no kind.
                    parts = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                    found |= set().union(*(_constants(part) for part in parts))
    return found


def written_kinds() -> set[str]:
    """Every kind that some verb writes by a name in its source, but those of rigs: docs/nina.md has them."""
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return set().union(
        *(kinds_in(path.read_text()) for path in paths if not {"migrations", "nina"} & set(path.parts))
    )
