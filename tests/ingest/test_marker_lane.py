"""A marker gets the same answer from the fast lane and from the view; the journal has no gaps."""

from __future__ import annotations

import asyncio
import json
import re

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from sessions_app.models import SessionEvent
from sessionsite.accounts.services import create_token
from sessionsite.lanes import Site

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = re.compile(r"se_[0-9a-z]{26}")
WHOLE = {"label": "scratch", "severity": "warning", "detail": {"part": 7, "where": [0.5, None, "edge"]}}
ACCEPTED = {
    "a label": {"json": {"label": "scratch"}},
    "everything": {"json": {**WHOLE, "at": "2026-01-02T03:04:05.678Z"}},
    "blanks around": {"json": {"label": "  scratch "}},
    "other scripts": {"json": {"label": "écran 屏幕"}},
    "an idempotency key": {"json": WHOLE, "headers": {"Idempotency-Key": "k-1"}},
    "a charset": {
        "content": b'{"label": "x"}',
        "headers": {"Content-Type": "application/json; charset=utf-8"},
    },
}
REFUSED = {
    "no label": {"json": {}},
    "an empty label": {"json": {"label": " "}},
    "a long label": {"json": {"label": "x" * 201}},
    "a number": {"json": {"label": 7}},
    "a control character": {"json": {"label": "a\u0007b\u0000"}},
    "an unknown severity": {"json": {"label": "x", "severity": "fatal"}},
    "a severity that is no word": {"json": {"label": "x", "severity": ["info"]}},
    "a detail that is a list": {"json": {"label": "x", "detail": [1]}},
    "an unknown field": {"json": {"label": "x", "colour": "red"}},
    "a bad time": {"json": {"label": "x", "at": "yesterday"}},
    "a list": {"json": [{"label": "x"}]},
    "not JSON": {"content": b"{", "headers": {"Content-Type": "application/json"}},
    "NaN": {"content": b'{"label": NaN}', "headers": {"Content-Type": "application/json"}},
    "too deep": {"content": b'{"label":"x","detail":{"a":' + b"[" * 40 + b"]" * 40 + b"}}",
                 "headers": {"Content-Type": "application/json"}},
    "no body": {"content": b"", "headers": {"Content-Type": "application/json"}},
    "another type": {"content": b"label=x", "headers": {"Content-Type": "text/csv"}},
    "an empty key": {"json": {"label": "x"}, "headers": {"Idempotency-Key": ""}},
    "a long key": {"json": {"label": "x"}, "headers": {"Idempotency-Key": "k" * 81}},
}  # fmt: skip


@pytest.fixture
def site():
    return Site()


def client_of(application, token: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url="http://127.0.0.1", headers=headers
    )


@pytest.fixture
def lanes(site, token):
    """(fast, ordinary): clients of the whole site, and of Django's request stack alone; the same token."""
    return [client_of(app, token) for app in (site, site._pages)]


@sync_to_async
def two_sessions(organisation) -> list:
    from monitoring.services import create_monitor, start_monitor

    monitors = [create_monitor(organisation, slug=slug, by="test") for slug in ("cam-1", "cam-2")]
    return [start_monitor(monitor, by="test") for monitor in monitors]


def seen(response) -> tuple:
    text = KEYS.sub("KEY", response.text).replace("cam-2", "cam-1")
    answer = json.loads(text)
    if response.status_code == 201 and "json" not in answer:
        answer = {name: value for name, value in answer.items() if name != "at"}
    return response.status_code, answer, response.headers["content-type"]


@sync_to_async
def journal(session) -> list[tuple]:
    rows = SessionEvent.objects.filter(session=session).order_by("seq")
    return [(row.seq, row.kind, row.detail, row.dedup_key) for row in rows]


async def ask_both(lanes, sessions, request: dict) -> list:
    return [
        seen(await client.post(f"/api/v1/sessions/{session.key}/events/", **request))
        for client, session in zip(lanes, sessions, strict=True)
    ]


@pytest.mark.parametrize("case", ACCEPTED)
async def test_an_accepted_marker_leaves_the_same_answer_and_the_same_entry(lanes, organisation, case):
    sessions = await two_sessions(organisation)
    for _ in range(2):  # the second is a repeat where there is a key, else one more
        fast, ordinary = await ask_both(lanes, sessions, ACCEPTED[case])
        assert fast == ordinary
        assert fast[0] == 201, fast
    entries = [await journal(session) for session in sessions]
    assert entries[0] == entries[1]
    assert [seq for seq, *_ in entries[0]] == list(range(1, len(entries[0]) + 1))
    assert sum(kind == "marker" for _, kind, *_ in entries[0]) == (1 if "key" in case else 2)


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_marker_gets_the_same_answer_and_leaves_nothing(lanes, organisation, case):
    sessions = await two_sessions(organisation)
    before = [await journal(session) for session in sessions]
    fast, ordinary = await ask_both(lanes, sessions, REFUSED[case])
    assert fast == ordinary
    assert 400 <= fast[0] < 500, fast
    assert [await journal(session) for session in sessions] == before


async def test_a_key_with_another_marker_is_refused_by_both(lanes, organisation):
    sessions = await two_sessions(organisation)
    key = {"headers": {"Idempotency-Key": "k-1"}}
    await ask_both(lanes, sessions, {"json": {"label": "one"}, **key})
    fast, ordinary = await ask_both(lanes, sessions, {"json": {"label": "two"}, **key})
    assert fast == ordinary
    assert (fast[0], fast[1]["code"]) == (422, "idempotency_mismatch")


async def test_a_token_that_may_not_mark_gets_the_same_refusal(site, organisation, other_organisation):
    sessions = await two_sessions(organisation)
    tokens = {
        "viewer": await sync_to_async(create_token)(organisation, name="v", role="viewer", by="test"),
        "foreign": await sync_to_async(create_token)(other_organisation, name="f", role="admin", by="test"),
    }
    wanted = {"viewer": 403, "foreign": 404}
    for name, (_, secret) in tokens.items():
        clients = [client_of(app, secret) for app in (site, site._pages)]
        fast, ordinary = await ask_both(clients, sessions, {"json": {"label": "x"}})
        assert fast == ordinary
        assert fast[0] == wanted[name]
    clients = [client_of(app, "nobody's secret") for app in (site, site._pages)]
    fast, ordinary = await ask_both(clients, sessions, {"json": {"label": "x"}})
    assert fast == ordinary
    assert fast[0] == 401


async def test_many_markers_at_once_are_numbered_without_a_gap_and_keys_count_once(lanes, organisation):
    [session, _] = await two_sessions(organisation)
    address = f"/api/v1/sessions/{session.key}/events/"
    client = lanes[0]
    plain = [client.post(address, json={"label": f"m{number}"}) for number in range(60)]
    keyed = [
        client.post(address, json={"label": "same"}, headers={"Idempotency-Key": "same"}) for _ in range(20)
    ]
    answers = await asyncio.gather(*plain, *keyed)
    assert {answer.status_code for answer in answers} == {201}
    entries = await journal(session)
    assert [seq for seq, *_ in entries] == list(range(1, len(entries) + 1))
    labels = [detail["label"] for _, kind, detail, _ in entries if kind == "marker"]
    assert sorted(labels) == sorted([f"m{number}" for number in range(60)] + ["same"])
    assert len({answer.json()["seq"] for answer in answers}) == 61


async def test_a_body_over_the_cap_is_refused_by_both(lanes, organisation):
    sessions = await two_sessions(organisation)
    body = {"json": {"label": "x", "detail": {"text": "y" * (1024 * 1024)}}}
    fast, ordinary = await ask_both(lanes, sessions, body)
    assert fast == ordinary
    assert fast[0] == 413


def test_the_markers_of_a_service_are_not_counted_as_ordinary_requests():
    assert settings.RATE_LIMIT_INGEST_PER_MIN == 0
