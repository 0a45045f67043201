"""The state from the fast lane is that of the view, and never older than a commit of this process."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import time_machine
from asgiref.sync import sync_to_async

from monitoring.services import NewImage, add_image, start_monitor, stop_monitor
from sessionsite.accounts.services import create_token
from sessionsite.common.newest import NewestStates
from sessionsite.lanes import Site
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESSES = ["/api/v1/monitors/cam-1/state/", "/monitor/cam-1/state"]
FLEET = "/api/v1/fleet/"


def client_of(app, secret: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://127.0.0.1",
        headers={"Authorization": f"Bearer {secret}"},
    )


@pytest.fixture
def lanes(token):
    """(fast, ordinary)"""
    site = Site()
    return [client_of(app, token) for app in (site, site._pages)]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_both_lanes_give_the_same_state(lanes, image, address):
    with time_machine.travel("2026-03-04T05:06:07Z", tick=False):
        fast, ordinary = [await client.get(address) for client in lanes]
    assert fast.status_code == ordinary.status_code == 200
    assert fast.json() == ordinary.json()
    assert fast.json()["at"]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_every_commit_of_this_process_is_in_the_next_answer(lanes, monitor, address):
    fast, total = lanes[0], "total_counter" if "v1" in address else "totalCounter"
    assert (await fast.get(address)).json()[total] == 0
    await sync_to_async(start_monitor)(monitor, by="ann")
    for number in range(1, 4):
        await sync_to_async(add_image)(NewImage(data=picture(number), monitor=monitor))
        assert (await fast.get(address)).json()[total] == number
    await sync_to_async(stop_monitor)(monitor, by="ann")
    assert (await fast.get(address)).json()["status"] in (False, "idle")


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_unchanged_state_is_answered_304(lanes, monitor, address):
    first = await lanes[0].get(address)
    again = await lanes[0].get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await sync_to_async(start_monitor)(monitor, by="ann")
    changed = await lanes[0].get(address, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


async def test_the_native_etag_is_that_of_the_view(lanes, monitor):
    tags = {(await client.get(ADDRESSES[0])).headers["etag"] for client in lanes}
    assert len(tags) == 1


@pytest.mark.parametrize("address", ADDRESSES)
async def test_foreign_unknown_and_dead_are_refused_alike(monitor, foreign_token, token, address):
    site, unknown = Site(), address.replace("cam-1", "none")
    for secret, path in ((foreign_token, address), ("dead", address), (token, unknown)):
        answers = [await client_of(app, secret).get(path) for app in (site, site._pages)]
        assert answers[0].status_code == answers[1].status_code in (401, 404)
        assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_address_that_no_monitor_can_have_is_left_to_the_view(lanes, monitor, address):
    asked = address.replace("cam-1", "a%00")
    scope = {"type": "http", "method": "GET", "path": address.replace("cam-1", "a\0"), "query_string": b""}
    headers = [(b"authorization", lanes[0].headers["authorization"].encode())]
    assert Site()._claim(scope | {"headers": headers}) is None
    answers = [await client.get(asked) for client in lanes]
    assert answers[0].status_code == answers[1].status_code in (400, 404)
    assert answers[0].json() == answers[1].json()


def without_disk(answer: httpx.Response) -> dict:
    """Other programs write to the disk as well."""
    return {key: value for key, value in answer.json().items() if key != "disk"}


@pytest.mark.parametrize("query", ["", "?organisation=default"])
async def test_both_lanes_give_the_same_fleet(lanes, image, other_organisation, query):
    with time_machine.travel("2026-03-04T05:06:07Z", tick=False):
        fast, ordinary = [await client.get(FLEET + query) for client in lanes]
    assert fast.status_code == ordinary.status_code == 200
    assert without_disk(fast) == without_disk(ordinary)
    assert [monitor["slug"] for monitor in fast.json()["monitors"]] == ["cam-1"]
    assert fast.json()["disk"].keys() == ordinary.json()["disk"].keys()


async def test_every_transition_of_this_process_is_in_the_next_fleet(lanes, monitor):
    fast = lanes[0]
    first = await fast.get(FLEET)
    known = {"If-None-Match": first.headers["etag"]}
    assert first.json()["counts"]["running"] == 0
    assert (await fast.get(FLEET, headers=known)).status_code == 304
    await sync_to_async(start_monitor)(monitor, by="ann")
    assert (await fast.get(FLEET, headers=known)).json()["counts"]["running"] == 1
    await sync_to_async(stop_monitor)(monitor, by="ann")
    assert (await fast.get(FLEET)).json()["counts"]["running"] == 0


async def test_each_caller_without_a_name_gets_the_fleet_of_their_own(token, foreign_token, monitor):
    site = Site()
    answers = [await client_of(site, secret).get(FLEET) for secret in (token, foreign_token, token)]
    assert [answer.json()["organisation"] for answer in answers] == ["default", "elsewhere", "default"]


@pytest.mark.parametrize(
    "query", ["organisation=elsewhere", "organisation=nowhere", "organisation=A%00", "organisation="]
)
async def test_a_fleet_is_refused_alike_in_both_lanes(lanes, other_organisation, query):
    answers = [await client.get(f"{FLEET}?{query}") for client in lanes]
    assert answers[0].status_code == answers[1].status_code in (400, 404)
    assert answers[0].json() == answers[1].json()


async def test_a_token_without_the_right_to_read_sees_no_fleet(organisation):
    secret = (
        await sync_to_async(create_token)(
            organisation, name="camera", role="operator", scopes=["ingest"], by="ann"
        )
    )[1]
    site = Site()
    answers = [await client_of(app, secret).get(FLEET) for app in (site, site._pages)]
    assert answers[0].status_code == answers[1].status_code == 403
    assert answers[0].json() == answers[1].json()


async def test_many_questions_at_once_read_the_database_once(monitor):
    states, made = NewestStates(), []

    async def ask():
        return await states.get("monitor:cam-1", "test", lambda snapshot: made.append(1) or snapshot.revision)

    answers = await asyncio.gather(*(ask() for _ in range(100)))
    assert set(answers) == {1}
    assert len(made) == 1
