"""The shape of the tree, read from its source: imports point down, a state has one writer."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# From the ground up; a layer may import itself and what stands before it.
LAYERS = [
    "sessionsite.common",
    "sessionsite.accounts",
    "devices",
    "sessions_app",
    "monitoring",
    "sessionsite",
]
PACKAGES = ["sessionsite", "devices", "sessions_app", "monitoring"]


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def layer_of(module: str) -> int | None:
    """The index of the innermost layer that holds `module`; None for packages of others."""
    for index, layer in enumerate(LAYERS):
        if module == layer or module.startswith(f"{layer}."):
            return index
    return None


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import, also those inside functions; relative ones are resolved."""
    package = module_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            start = ".".join(part for part in (base, node.module) if part)
            for name in node.names:
                yield node.lineno, f"{start}.{name.name}"


# Names under which something else than a Session is meant.
OTHERS = {"self", "rig"}


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def is_other(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in OTHERS


def is_of_another_model(node: ast.expr) -> bool:
    """True for `Other.objects.filter(...)`: a chain that begins with a class that is no Session."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return isinstance(node, ast.Name) and node.id[:1].isupper() and node.id != "Session"


def writers_of_state(path: Path) -> Iterator[int]:
    """Lines that set the state of what may be a session, or hand `state` to an update."""
    for node in ast.walk(ast.parse(path.read_text())):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr == "state" and not is_other(target.value):
                yield node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            named = {keyword.arg for keyword in node.keywords}
            words = {value.value for value in ast.walk(node) if isinstance(value, ast.Constant)}
            is_update = node.func.attr in ("update", "aupdate") and "state" in named
            if is_update and not is_of_another_model(node.func.value):
                yield node.lineno
            if node.func.attr in ("bulk_update", "abulk_update") and "state" in words:
                yield node.lineno


def places(found: Iterator[tuple[Path, int]]) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{line}" for path, line in found]


def test_imports_point_down():
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources()
        if "migrations" not in path.parts
        for line, module in imports_of(path)
        if (there := layer_of(module)) is not None and there > layer_of(module_of(path))
    ]
    assert wrong == []


def test_one_module_moves_a_session_from_state_to_state():
    lifecycle = ROOT / "sessions_app" / "services" / "lifecycle.py"
    found = {path for path in sources() if "migrations" not in path.parts and [*writers_of_state(path)]}
    assert found == {lifecycle}


def test_only_the_publisher_and_the_hub_touch_the_channel_layer():
    common = ROOT / "sessionsite" / "common"
    allowed = {common / "live.py", *(common / "hub").glob("*.py")}
    users = {
        path
        for path in sources()
        for _, module in imports_of(path)
        if module.startswith(("channels.layers", "channels_redis"))
    }
    assert users
    assert users <= allowed


def test_common_knows_no_model():
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in (ROOT / "sessionsite" / "common").rglob("*.py")
        for line, module in imports_of(path)
        if module.split(".")[-1] == "models"
        and module.startswith(tuple(PACKAGES))
        or module.startswith("django.db.models.Model.")
    ]
    assert wrong == []


def test_raw_sql_stays_in_its_modules():
    allowed = {
        "monitoring/density.py",
        "monitoring/store.py",
        "sessionsite/accounts/rates/stores.py",
        "sessionsite/accounts/store.py",
        "sessions_app/dbclock.py",
        "sessions_app/services/counters.py",
        "sessions_app/store.py",
        "sessionsite/backup/snapshot.py",
        "sessionsite/common/sqlite/base.py",  # the backend: what a cursor is
        "sessionsite/startup.py",
        "sessionsite/stopping.py",
    }
    users = {
        str(path.relative_to(ROOT))
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in ("cursor", "raw", "executemany") and not is_self(node.func.value)
    }
    assert users <= allowed


FACE_FOLDERS = {"admin", "api", "commands"}
FACE_FILES = {"admin.py", "admin_base.py", "admin_parts.py", "consumers.py", "lanes.py", "pages.py", "sse.py"}
WRITES = {
    *(
        "save",
        "create",
        "get_or_create",
        "update_or_create",
        "bulk_create",
        "update",
        "bulk_update",
        "delete",
    ),
    *("asave", "acreate", "aupdate", "adelete", "atomic", "on_commit", "select_for_update", "raw"),
}
# The form of the admin tries its verb, rolls it back, and later shows what the verb made.
# Django's own form saves a password; the verb beside it, in one transaction, tells of it.
ALLOWED_WRITES = {
    "sessionsite/accounts/admin.py: transaction.atomic()",
    "sessionsite/accounts/admin_base.py: transaction.atomic()",
    "sessionsite/accounts/admin_base.py: obj.__dict__.update(self.run_verb(request, form).__dict__)",
}


def test_faces_call_verbs_and_write_nothing_themselves():
    faces = [path for path in sources() if FACE_FOLDERS & set(path.parts) or path.name in FACE_FILES]
    found = {
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for path in faces
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in WRITES
    }
    assert len(faces) > 20
    assert found <= ALLOWED_WRITES


def test_signals_are_not_used_for_our_own_rules():
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources()
        for line, module in imports_of(path)
        if module.startswith(("django.db.models.signals", "django.dispatch"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "code, is_found",
    [
        ("session.state = 'active'", True),
        ("self.state = 'active'", False),
        ("Session.objects.filter(pk=1).update(state='active')", True),
        ("mine.update(state='active')", True),
        ("Rig.objects.filter(pk=1).update(state={})", False),
        ("Session.objects.bulk_update(rows, ['state'])", True),
        ("Session.objects.filter(state='active')", False),
    ],
)
def test_a_second_writer_of_a_state_would_be_found(tmp_path, code, is_found):
    (tmp_path / "module.py").write_text(code)
    assert bool([*writers_of_state(tmp_path / "module.py")]) is is_found


@pytest.mark.parametrize(
    "module, layer", [("sessionsite.common.hub", 0), ("sessionsite.accounts", 1), ("sessionsite.urls", 5)]
)
def test_the_innermost_layer_counts(module, layer):
    assert layer_of(module) == layer
