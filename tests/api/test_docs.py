"""docs/rest.md says of every address, right, parameter and code what the code says."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from sessionsite.common.access import ROLE_RIGHTS
from sessionsite.common.api import pagination, parsers
from sessionsite.common.api.errors import CODES
from sessionsite.common.errors import DomainError
from tests.access.table import ROWS

TEXT = (Path(__file__).parents[2] / "docs" / "rest.md").read_text()
# Errors of other interfaces have other pages.
ELSEWHERE = (
    "sessionsite.backup",
    "monitoring.services.doctor",
    "monitoring.api.rosepetal",
    "monitoring.nina",
    "sessions_app.api.linnet",
    "sessions_app.classifiers",
    "sessionsite.common.hub",
    "sessionsite.common.consumers",
    "sessionsite.common.sse",
    "sessionsite.common.live",
    "tests",
)


def shape(path: str) -> str:
    return re.sub(r"[<{][^<>{}]*[>}]", "<>", path)


def described() -> dict[tuple[str, str], tuple[str, str]]:
    """(method, address) -> (right, text) of the tables."""
    rows = re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \| (\w+) \| (.+) \|$", TEXT, re.MULTILINE)
    return {(method, shape(path)): (right, text) for method, path, right, text in rows}


@cache
def operations() -> dict[tuple[str, str], dict]:
    from drf_spectacular.generators import SchemaGenerator

    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return {
        (method.upper(), shape(path.removeprefix("/api/v1/"))): operation
        for path, item in paths.items()
        for method, operation in item.items()
    }


def codes() -> set[tuple[int, str]]:
    """(status, code) of everything that REST can refuse with."""
    found = {(status, code) for status, code in CODES.items()} | {(400, "parse_error")}
    waiting = [DomainError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if not error.__module__.startswith(ELSEWHERE):
            found.add((error.status, error.code))
    return found


def test_every_address_is_described_with_its_right_and_none_that_is_not_there():
    rights = {
        (row.method, shape(row.path.removeprefix("api/v1/"))): row.right
        for row in ROWS
        if row.path.startswith("api/v1/")
    }
    native = {key: right for key, right in rights.items() if key in operations()}
    assert {key: right for key, (right, _) in described().items()} == native


def test_the_schema_and_the_page_know_the_same_addresses():
    assert set(described()) == set(operations())


def test_every_parameter_of_an_address_is_named_and_none_that_is_not_there():
    for key, operation in operations().items():
        query = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
        asked = re.search(r"; `\?([\w`, ]+)`$", described()[key][1])
        named = set(re.split(r"`, `", asked[1])) if asked else set()
        assert named == set(query) - {"limit", "cursor"}, key


def test_every_code_is_explained_and_none_that_does_not_exist():
    from django.urls import get_resolver

    assert get_resolver().url_patterns  # everything that can refuse is imported
    explained = {
        (int(status), code) for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", TEXT, re.MULTILINE)
    }
    assert sorted(explained) == sorted(codes())


@pytest.mark.parametrize("role", ROLE_RIGHTS)
def test_the_rights_of_each_role_are_listed(role):
    [listed] = re.findall(rf"^\| {role} \| (.+) \|$", TEXT, re.MULTILINE)
    assert set(listed.split(", ")) == ROLE_RIGHTS[role]


def test_the_limits_are_those_of_the_code():
    from monitoring.api.batches import BATCH_MAX
    from monitoring.services.tags import TAGS_MAX

    assert f"`?limit=` is 1 to {pagination.MAX_LIMIT}, {pagination.DEFAULT_LIMIT} unless given" in TEXT
    assert f"JSON of more than {parsers.MAX_DEPTH} levels" in TEXT
    assert parsers.JSON_BYTES == 1024 * 1024 and "1 MiB of JSON" in TEXT
    assert f"up to {BATCH_MAX} files" in TEXT
    assert f"more than {TAGS_MAX} boxes" in TEXT
