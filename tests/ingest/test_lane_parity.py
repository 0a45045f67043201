"""A picture gets the same answer from the fast lane and from the ordinary view, whatever is wrong with it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections import Counter

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from monitoring.models import Image
from sessionsite.common.files import close_leases
from sessionsite.lanes import Site
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)

NATIVE, WIRE = "/api/v1/monitors/{slug}/images/", "/monitor/{slug}/image"
KEYS = re.compile(r"(im|se)_[0-9a-z]{20,}")


def as_json(data: bytes, **about) -> dict:
    return {"json": {"image": base64.b64encode(data).decode(), **about}}


def as_wire(data: bytes, **about) -> dict:
    return {"json": {"image": base64.b64encode(data).decode(), "image_data": about}}


def raw(data: bytes, **headers) -> dict:
    return {"content": data, "headers": {"Content-Type": "image/jpeg", **headers}}


WHOLE = picture(1)
# name -> (address, request); each is sent to both lanes on a monitor of its own that runs
ACCEPTED = {
    "base64 JSON": (NATIVE, as_json(WHOLE, name="a.jpg", label="OK", taken_at="2026-01-02T03:04:05.678Z")),
    "a data URL": (NATIVE, {"json": {"image": "data:image/jpeg;base64," + base64.b64encode(WHOLE).decode()}}),
    "raw bytes": (NATIVE, raw(WHOLE)),
    "raw bytes with headers": (NATIVE, raw(WHOLE, **{"X-Image-Label": "OK", "X-Image-Name": "b.jpg"})),
    "raw bytes with a query": (NATIVE + "?label=OK&dataset=line-1", raw(WHOLE)),
    "octets": (NATIVE, {"content": WHOLE, "headers": {"Content-Type": "application/octet-stream"}}),
    "a form": (NATIVE, {"files": {"image": ("c.jpg", WHOLE, "image/jpeg")}, "data": {"label": "OK"}}),
    "an idempotency key": (NATIVE, raw(WHOLE, **{"Idempotency-Key": "k-1"})),
    "the wire": (WIRE, as_wire(WHOLE, date=1767323045678, name="d.png", dataset="ds1", tag="OK")),
    "the wire with a slash": (WIRE + "/", as_wire(WHOLE)),
}
REFUSED = {
    "cut off": (NATIVE, raw(WHOLE[:-200])),
    "not a picture": (NATIVE, raw(b"hello")),
    "no body": (NATIVE, raw(b"")),
    "not base64": (NATIVE, {"json": {"image": "###"}}),
    "not JSON": (NATIVE, {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    "NaN": (NATIVE, {"content": b'{"image": NaN}', "headers": {"Content-Type": "application/json"}}),
    "an unknown field": (NATIVE, as_json(WHOLE, colour="red")),
    "a bad time": (NATIVE, as_json(WHOLE, taken_at="yesterday")),
    "a long label": (NATIVE, as_json(WHOLE, label="x" * 101)),
    "a bad query": (NATIVE + "?colour=red", raw(WHOLE)),
    "a parameter twice": (NATIVE + "?label=a&label=b", raw(WHOLE)),
    "query against header": (NATIVE + "?label=a", raw(WHOLE, **{"X-Image-Label": "b"})),
    "an unknown type": (NATIVE, {"content": WHOLE, "headers": {"Content-Type": "text/csv"}}),
    "a bad idempotency key": (NATIVE, raw(WHOLE, **{"Idempotency-Key": "two words"})),
    "an empty form": (NATIVE, {"files": {"other": ("c.jpg", WHOLE, "image/jpeg")}}),
    "the wire: cut off": (WIRE, as_wire(WHOLE[:-200])),
    "the wire: no image": (WIRE, {"json": {}}),
    "the wire: a list": (WIRE, {"json": []}),
    "the wire: a bad date": (WIRE, as_wire(WHOLE, date="today")),
    "the wire: a bad tag": (WIRE, as_wire(WHOLE, tag="a\nb")),
}


@pytest.fixture(autouse=True)
def media(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    yield
    close_leases()


@pytest.fixture
def lanes(token):
    """(fast, ordinary): clients of the whole site, and of Django's request stack alone; the same token."""
    site = Site()
    return [
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://127.0.0.1",
            headers={"Authorization": f"Bearer {token}"},
        )
        for app in (site, site._pages)
    ]


@sync_to_async
def two_running_monitors(organisation) -> list:
    from monitoring.services import create_monitor, start_monitor

    monitors = [create_monitor(organisation, slug=slug, by="test") for slug in ("cam-1", "cam-2")]
    for monitor in monitors:
        start_monitor(monitor, by="test")
    return monitors


def seen(response) -> tuple:
    """Status, body and the headers that count, without what differs by nature."""
    text = KEYS.sub("KEY", response.text).replace("cam-2", "cam-1")
    names = ("content-type", "www-authenticate", "retry-after", "location", "x-error-detail")
    headers = {name: KEYS.sub("KEY", response.headers[name]) for name in names if name in response.headers}
    return response.status_code, json.loads(text), headers


async def ask_both(lanes, address: str, request: dict) -> list:
    answers = []
    for client, slug in zip(lanes, ("cam-1", "cam-2"), strict=True):
        answers.append(seen(await client.post(address.format(slug=slug), **request)))
    return answers


@sync_to_async
def rows_of(monitor) -> list[dict]:
    fields = ("name", "label", "sha256", "width", "height", "format", "size_bytes", "author", "dataset__key")
    monitor.refresh_from_db()
    return [*Image.objects.filter(monitor=monitor).values(*fields)], monitor.stored_bytes


@pytest.mark.parametrize("case", ACCEPTED)
async def test_an_accepted_picture_leaves_the_same_answer_and_the_same_row(lanes, organisation, case):
    monitors = await two_running_monitors(organisation)
    address, request = ACCEPTED[case]
    fast, ordinary = await ask_both(lanes, address, request)
    assert fast == ordinary
    assert fast[0] in (200, 201), fast
    rows = [await rows_of(monitor) for monitor in monitors]
    assert len(rows[0][0]) == 1
    assert rows[0] == rows[1]


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_picture_gets_the_same_answer_and_leaves_nothing(lanes, organisation, case):
    monitors = await two_running_monitors(organisation)
    address, request = REFUSED[case]
    fast, ordinary = await ask_both(lanes, address, request)
    assert fast == ordinary
    assert 400 <= fast[0] < 500, fast
    for monitor in monitors:
        assert await rows_of(monitor) == ([], 0)


@pytest.mark.parametrize("address", [NATIVE, WIRE])
async def test_credentials_and_monitors_are_judged_alike(
    lanes, organisation, viewer_token, foreign_token, monitor, address
):
    for secret in (viewer_token, foreign_token, "unknown"):
        for client in lanes:
            client.headers["Authorization"] = f"Bearer {secret}"
        answers = [seen(await c.post(address.format(slug="cam-1"), **raw(WHOLE))) for c in lanes]
        assert answers[0] == answers[1]
        assert answers[0][0] in (401, 403, 404)


@pytest.mark.parametrize("address", [NATIVE, WIRE])
async def test_a_stopped_monitor_refuses_alike(lanes, monitor, address):
    request = raw(WHOLE) if address == NATIVE else as_wire(WHOLE)
    answers = [seen(await client.post(address.format(slug="cam-1"), **request)) for client in lanes]
    assert answers[0] == answers[1]
    assert answers[0][0] == (409 if address == NATIVE else 200)


@pytest.mark.parametrize("address", [NATIVE, WIRE])
async def test_a_repeat_gets_the_first_answer_from_either_lane_also_after_the_stop(lanes, session, address):
    from monitoring.services import stop_monitor

    moment = {"taken_at": "2026-01-02T03:04:05Z"} if address == NATIVE else {"date": 1767323045000}
    request = (as_json if address == NATIVE else as_wire)(WHOLE, **moment)
    answers = [(await lane.post(address.format(slug="cam-1"), **request)).json() for lane in (*lanes, *lanes)]
    await sync_to_async(stop_monitor)(session.monitor, by="test")
    answers += [(await lane.post(address.format(slug="cam-1"), **request)).json() for lane in lanes]
    keys = {KEYS.search(json.dumps(answer))[0] for answer in answers}
    assert len(keys) == 1
    await sync_to_async(session.refresh_from_db)()
    assert session.total_counter == 1


async def test_another_picture_under_the_same_idempotency_key_is_refused_alike(lanes, session):
    def request(n):
        return raw(picture(n), **{"Idempotency-Key": "one"})

    assert (await lanes[0].post(NATIVE.format(slug="cam-1"), **request(1))).status_code == 201
    answers = [seen(await client.post(NATIVE.format(slug="cam-1"), **request(2))) for client in lanes]
    assert answers[0] == answers[1]
    assert answers[0][0] == 422


@pytest.mark.parametrize("full", ["the quota", "the disk"])
async def test_a_repeat_gets_the_first_answer_although_there_is_no_room_any_more(
    lanes, session, full, monkeypatch
):
    from monitoring.services import change_monitor

    async def send(lane, number: int):
        request = raw(picture(number), **{"Idempotency-Key": f"k-{number}"})
        return await lane.post(NATIVE.format(slug="cam-1"), **request)

    first = await send(lanes[0], 1)
    assert first.status_code == 201
    if full == "the quota":
        await sync_to_async(change_monitor)(session.monitor, by="test", quota_bytes=1)
    else:
        monkeypatch.setattr(settings, "DISK_RESERVE_BYTES", 2**62)
    for lane in lanes:
        repeat = await send(lane, 1)
        assert (repeat.status_code, repeat.json()["key"]) == (200, first.json()["key"])
        assert (await send(lane, 2)).status_code == 507


@pytest.mark.parametrize("address", [NATIVE, WIRE])
async def test_a_body_over_the_limit_is_refused_alike_before_it_is_read(lanes, session, address, monkeypatch):
    monkeypatch.setattr(settings, "MAX_BODY_BYTES", 1000)
    answers = [seen(await client.post(address.format(slug="cam-1"), content=b"x" * 1001)) for client in lanes]
    assert answers[0] == answers[1]
    assert answers[0][0] == 413


@pytest.mark.parametrize("address", [NATIVE, WIRE])
async def test_a_full_disk_refuses_alike(lanes, session, address, monkeypatch):
    monkeypatch.setattr(settings, "DISK_RESERVE_BYTES", 2**62)
    request = raw(WHOLE) if address == NATIVE else as_wire(WHOLE)
    answers = [seen(await client.post(address.format(slug="cam-1"), **request)) for client in lanes]
    assert answers[0] == answers[1]
    assert answers[0][0] == 507


async def test_when_too_many_pictures_are_on_their_way_the_next_is_told_to_come_back(
    lanes, session, monkeypatch
):
    monkeypatch.setattr("monitoring.ingest.lane.WAITING_MAX", 0)
    native = await lanes[0].post(NATIVE.format(slug="cam-1"), **raw(WHOLE))
    assert (native.status_code, native.headers["retry-after"]) == (503, "1")
    assert native.json()["code"] == "busy"
    wire = await lanes[0].post(WIRE.format(slug="cam-1"), **as_wire(WHOLE))
    assert (wire.status_code, wire.headers["retry-after"]) == (503, "1")
    assert wire.json()["data"]["error"] is True


async def in_pieces(data: bytes):
    """A body whose length nobody has said."""
    for start in range(0, len(data), 500):
        yield data[start : start + 500]


async def test_a_body_without_a_length_is_read_by_the_lane_and_refused_by_the_view(lanes, organisation):
    [monitor, _] = await two_running_monitors(organisation)
    headers = {"Content-Type": "image/jpeg", "Transfer-Encoding": "chunked"}
    fast, ordinary = [
        await client.post(NATIVE.format(slug="cam-1"), content=in_pieces(WHOLE), headers=headers)
        for client in lanes
    ]
    assert fast.status_code == 201
    assert (ordinary.status_code, ordinary.json()["code"]) == (411, "length_required")
    assert len((await rows_of(monitor))[0]) == 1


class Pieces:
    """A body that comes in pieces; `sent` counts those that were asked for."""

    def __init__(self, data: bytes) -> None:
        self._data, self.sent = data, 0

    async def __aiter__(self):
        async for piece in in_pieces(self._data):
            self.sent += 1
            yield piece


@pytest.mark.parametrize(("limit", "status"), [("MAX_BODY_BYTES", 413), ("WAITING_BYTES_MAX", 503)])
@pytest.mark.parametrize("address", [NATIVE, WIRE])
async def test_a_body_in_pieces_is_cut_off_where_the_room_ends(
    lanes, monitor, session, address, limit, status, monkeypatch
):
    if limit == "MAX_BODY_BYTES":
        monkeypatch.setattr(settings, limit, 1000)
    else:
        monkeypatch.setattr(f"monitoring.ingest.lane.{limit}", 1000)
    body = Pieces(b"x" * 50_000)
    answer = await lanes[0].post(
        address.format(slug="cam-1"), content=body, headers={"Transfer-Encoding": "chunked"}
    )
    assert answer.status_code == status
    assert body.sent <= 4
    assert answer.headers["connection"] == "close"
    assert (await rows_of(monitor))[0] == []
    monkeypatch.undo()
    request = raw(WHOLE) if address == NATIVE else as_wire(WHOLE)
    assert (await lanes[0].post(address.format(slug="cam-1"), **request)).is_success


@pytest.mark.parametrize("address", [NATIVE, WIRE])
async def test_a_body_that_stops_coming_is_given_up_and_its_place_is_free_again(
    lanes, session, address, monkeypatch
):
    async def stalled():
        yield b"half"
        await asyncio.Event().wait()

    monkeypatch.setattr("sessionsite.common.bodies.PIECE_WITHIN_S", 0.05)
    monkeypatch.setattr("monitoring.ingest.lane.WAITING_MAX", 1)
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "image/jpeg"}
    async with asyncio.timeout(20):  # without the bound it would take 30
        answer = await lanes[0].post(address.format(slug="cam-1"), content=stalled(), headers=headers)
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
    if address == NATIVE:
        assert answer.json()["code"] == "body_too_slow"
    monkeypatch.setattr("sessionsite.common.bodies.PIECE_WITHIN_S", 5)
    request = raw(WHOLE) if address == NATIVE else as_wire(WHOLE)
    assert (await lanes[0].post(address.format(slug="cam-1"), **request)).is_success


@pytest.mark.parametrize("address", [NATIVE, WIRE])
async def test_of_more_pictures_than_there_are_places_some_come_back_and_nothing_is_half_kept(
    lanes, monitor, session, address, monkeypatch
):
    monkeypatch.setattr("monitoring.ingest.lane.WAITING_MAX", 4)
    requests = [(raw if address == NATIVE else as_wire)(picture(number)) for number in range(16)]
    posts = [lanes[0].post(address.format(slug="cam-1"), **request) for request in requests]
    answers = await asyncio.gather(*posts)
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() == {201 if address == NATIVE else 200, 503}
    kept = statuses.total() - statuses[503]
    rows, stored_bytes = await rows_of(monitor)
    assert len(rows) == kept
    files = [file for file in settings.MEDIA_ROOT.rglob("im_*") if file.is_file()]
    assert len(files) == 2 * kept
    assert sum(file.stat().st_size for file in files) == stored_bytes
    again = await lanes[0].post(address.format(slug="cam-1"), **requests[0])
    assert again.status_code != 503


@pytest.mark.parametrize("address", [NATIVE, WIRE])
async def test_a_bug_is_a_500_in_the_dialect_of_the_address(lanes, session, address, monkeypatch, caplog):
    def broken(data):
        raise RuntimeError("a bug")

    monkeypatch.setattr("monitoring.imaging.inspect", broken)
    request = raw(WHOLE) if address == NATIVE else as_wire(WHOLE)
    answer = await lanes[0].post(address.format(slug="cam-1"), **request)
    assert answer.status_code == 500
    body = answer.json()
    assert body["code"] == "server_error" if address == NATIVE else body["data"]["error"] is True
    assert "a bug" in caplog.text and "a bug" not in answer.text
