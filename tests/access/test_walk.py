"""Every address of the site is asked by everybody: each gets in, or is refused as the table says, and nobody
reads of a house that is not theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.db import transaction
from django.http import StreamingHttpResponse
from django.urls import URLPattern, get_resolver

from tests.access.table import ELSEWHERE, IN, LOGIN, ROWS, Row
from tests.access.world import MARK, Who, World, build

ADMIN = "admin/"
# The mark makes the database; the world stands in a transaction around those of the tests.
pytestmark = pytest.mark.django_db
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker) -> Iterator[World]:
    """Built once; every test leaves it as it was (`ask`)."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield build()
        transaction.set_rollback(True)


def addresses(patterns=None, prefix: str = ""):
    """(address, pattern) of every address that the resolver knows."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield path, pattern
        else:
            yield from addresses(pattern.url_patterns, path)


def shape(path: str) -> str:
    """The address with every parameter written <>: `api/v1/sessions/<>/`, whatever its name and pattern."""
    path = path.replace("/?\\Z", "").replace("(/[\\s\\S]*)?\\Z", "").replace("[\\s\\S]*\\Z", "<anything>")
    path = re.sub(r"<[^<>]*>", "<>", simplify_regex(path)).lstrip("/").replace("\\", "")
    return path.removesuffix("Z") if path.endswith("csvZ") else path


def methods_of(pattern: URLPattern) -> set[str]:
    """What the view behind a native address answers; for a viewset, what its route names."""
    view = pattern.callback
    if actions := getattr(view, "actions", None):
        return {method.upper() for method in actions if method in METHODS}
    cls = getattr(view, "cls", getattr(view, "view_class", None))
    return {method.upper() for method in METHODS if hasattr(cls, method)} if cls else {"GET"}


def test_every_address_and_method_has_a_row():
    rows: dict[str, set[str]] = {}
    for row in ROWS:
        rows.setdefault(shape(row.path), set()).add(row.method)
    known = {shape(path): pattern for path, pattern in addresses() if not path.startswith(ADMIN)}
    assert sorted(set(known) - set(rows) - ELSEWHERE) == [], "addresses without a row in table.py"
    assert sorted(set(rows) - set(known)) == [], "rows without an address"
    for path, pattern in known.items():
        if path.startswith("api/v1/"):
            assert methods_of(pattern) == rows[path], path


def ask(world: World, row: Row, who: Who, names: dict[str, str] | None = None, *, keep: bool = False):
    """The answer, and nothing of what it did stays; with `keep` it stays until the caller's rollback."""
    sent = dict(row.sent)
    kwargs: dict = {"headers": sent.get("headers", {})}
    if row.method != "GET":
        body = fill(world, sent.get("json", {}), names)
        kwargs |= {"data": body, "content_type": "application/json"}
    address = world.address(row.path, names)
    if query := sent.get("query"):
        address = f"{address}?{urlencode(query)}"
    with transaction.atomic():
        answer = getattr(who.client, row.method.lower())(address, **kwargs)
        if isinstance(answer, StreamingHttpResponse):
            answer.content_read = b"".join(answer.streaming_content)
        if not keep:
            transaction.set_rollback(True)
    return answer


def fill(world: World, value, names=None):
    if isinstance(value, dict):
        return {key: fill(world, inner, names) for key, inner in value.items()}
    return world.address(value, names)[1:] if isinstance(value, str) else value


def text_of(answer) -> str:
    return (getattr(answer, "content_read", b"") or answer.content).decode("utf-8", "replace")


def outcome_of(answer, unknown: int = 404) -> int | str:
    if answer.status_code == 302 and "/login/" in answer["Location"]:
        return LOGIN
    if answer.status_code == 502:  # let in, but the telescope behind it is not there
        return IN
    if answer.status_code in (401, 403, 404, unknown) or answer.status_code >= 500:
        return answer.status_code
    return IN


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} /{row.path}")
def test_everybody_gets_in_where_the_table_says(world, row):
    wrong, leaks = [], []
    for who in world.everybody:
        who.client.raise_request_exception = False
        answer = ask(world, row, who)
        found, expected = outcome_of(answer, row.unknown), row.outcome(who)
        if found != expected:
            wrong.append(f"{who.name}: {found} instead of {expected}: {text_of(answer)[:150]!r}")
        if not who.may("read") and not who.may(row.right or "") and MARK in text_of(answer):
            leaks.append(who.name)
    assert not wrong, "\n".join(wrong)
    assert not leaks, f"told of a house that is not theirs: {leaks}"


UNKNOWN = {
    "organisation": "nowhere",
    "monitor": "cam-0",
    "session": "se_" + "0" * 26,
    "image": "im_" + "0" * 26,
    "tag": "tg_" + "0" * 26,
    "dataset": "ds_" + "0" * 26,
    "job": "jb_" + "0" * 26,
    "token": "tk_" + "0" * 26,
    "invite_key": "iv_" + "0" * 26,
}
NAMING = [row for row in ROWS if row.kind in ("api", "hidden", "wire") and row.names_a_thing]


@pytest.mark.parametrize("row", NAMING, ids=lambda row: f"{row.method} /{row.path}")
def test_a_foreign_thing_looks_like_one_that_does_not_exist(world, row):
    foreign = next(who for who in world.everybody if who.name == "foreign token")
    theirs = ask(world, row, foreign)
    nothing = ask(world, row, foreign, UNKNOWN)
    assert theirs.status_code == nothing.status_code == 404
    assert theirs.json() == nothing.json()


def test_the_admin_lets_staff_in_and_shows_everybody_else_the_login(world):
    wrong = []
    for path, _ in addresses():
        if not path.startswith(ADMIN) or "(?P<url>" in path:
            continue
        address = "/" + re.sub(r"<[^<>]*>", "1", path)
        for who in world.everybody:
            who.client.raise_request_exception = False
            with transaction.atomic():
                answer = who.client.get(address)
                transaction.set_rollback(True)
            if isinstance(answer, StreamingHttpResponse):
                answer.content_read = b"".join(answer.streaming_content)
            is_open = path in ("admin/login/", "admin/logout/")
            is_in = is_open or who.name == "root"
            if answer.status_code >= 500 or (not is_in and outcome_of(answer) != LOGIN):
                wrong.append(f"{who.name} {address}: {answer.status_code}")
            if not is_in and MARK in text_of(answer):
                wrong.append(f"{who.name} {address} reads what is not theirs")
    assert not wrong, "\n".join(wrong)


def test_staff_of_another_organisation_reads_nothing_of_ours_in_the_admin(world):
    from sessionsite.accounts.models import User

    staff = User.objects.filter(username="foreign admin")
    who = next(who for who in world.everybody if who.name == "foreign admin")
    asked = 0
    for path, _ in addresses():
        if not path.startswith(ADMIN) or "(?P<url>" in path or "logout" in path:
            continue
        address = "/" + re.sub(r"<[^<>]*>", "1", path)
        with transaction.atomic():
            staff.update(is_staff=True)
            answer = who.client.get(address, follow=True)
            transaction.set_rollback(True)
        asked += 1
        assert answer.status_code < 500, address
        assert MARK not in text_of(answer), address
    assert asked > 20


def test_logging_out_takes_a_post(world):
    viewer = next(who for who in world.everybody if who.name == "viewer")
    with transaction.atomic():
        assert viewer.client.get("/logout/").status_code == 405
        assert viewer.client.post("/logout/").status_code == 302
        assert viewer.client.get("/api/v1/monitors/").status_code == 401
        transaction.set_rollback(True)
