"""The same frames as server-sent events: resumed by seq, ended with their topic or their credential."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from monitoring.jobs.verbs import cancel, start_import
from monitoring.models import Job
from monitoring.services import create_dataset, start_monitor, stop_monitor
from sessions_app import services as sessions
from sessionsite.accounts.models import ApiToken
from sessionsite.accounts.services import caller_of_user, issue_ticket, revoke_token
from sessionsite.common.hub import get_hub, shutdown
from tests.live.streams import Stream
from tests.waiting import in_thread, live_tasks, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def stream(application):
    """Opens a stream: stream("session:…", token=..., cookie=..., after=...). All end with the test."""
    opened: list[Stream] = []

    async def open_stream(topic: str, *, token: str = "", method: str = "GET", **headers: str) -> Stream:
        if token:
            headers["authorization"] = f"Bearer {token}"
        opened.append(Stream(application, f"/stream/{topic}", {"host": "testserver", **headers}, method))
        return await opened[-1].begin()

    yield open_stream
    for each in opened:
        await each.end()
    await shutdown()
    await until(lambda: not live_tasks(), what="no task is left")


async def test_a_stream_shows_what_a_socket_shows(stream, monitor, token):
    following = await stream("monitor:cam-1", token=token)
    assert following.status == 200
    assert following.headers["content-type"].startswith("text/event-stream")
    assert following.headers["x-accel-buffering"] == "no"
    assert (await following.frame())["type"] == "snapshot"
    await in_thread(start_monitor, monitor, by="ann")
    state = await following.frame()
    assert (state["type"], state["data"]["running"]) == ("state", True)
    assert following.ids == [], "states have no id: a browser must not resume from them"


async def test_a_stream_resumes_after_the_last_event_it_saw(stream, monitor, session, token):
    def write() -> None:
        for number in range(5):
            sessions.mark(session, label=str(number), by="ann")

    await in_thread(write)
    topic = f"session:{session.key}"
    by_query = await stream(f"{topic}?after=3", token=token)
    by_header = await stream(f"{topic}?after=1", token=token, **{"last-event-id": "4"})
    for following, seqs in ((by_query, [4, 5, 6]), (by_header, [5, 6])):
        assert (await following.frame())["type"] == "snapshot"
        assert [(await following.frame())["seq"] for _ in seqs] == seqs
        assert following.ids == seqs


async def test_a_stream_ends_with_its_session_and_is_not_reopened(stream, monitor, session, token):
    following = await stream(f"session:{session.key}", token=token)
    await following.frame()
    await in_thread(stop_monitor, monitor, by="ann")
    told = await following.rest()
    assert told[-1]["type"] == "state" and told[-1]["data"]["state"] == "completed"
    assert [frame["event"]["kind"] for frame in told if frame["type"] == "event"] == ["stopped"]
    again = await stream(f"session:{session.key}", token=token, **{"last-event-id": str(following.ids[-1])})
    assert (again.status, await again.body()) == (204, b"")
    behind = await stream(f"session:{session.key}?after=0", token=token)
    told = await behind.rest()
    assert [frame["type"] for frame in told] == ["snapshot", "event", "event"]
    assert not get_hub().readers


async def test_a_finished_session_gives_a_new_client_its_last_event_to_resume_from(
    stream, monitor, session, token
):
    await in_thread(stop_monitor, monitor, by="ann")
    told = await (await stream(f"session:{session.key}", token=token)).rest()
    assert [(frame["type"], frame["seq"]) for frame in told] == [("snapshot", 2), ("event", 2)]


async def test_a_stream_ends_with_its_job_and_is_not_reopened(stream, organisation, token):
    def ask_for_import() -> Job:
        dataset = create_dataset(organisation, name="Plates", key="ds-1", by="ann")
        return start_import(dataset, format="coco", name="plates.zip", size_bytes=10, by="ann")

    job = await in_thread(ask_for_import)
    following = await stream(f"job:{job.key}", token=token)
    assert (await following.frame())["type"] == "snapshot"
    assert following.ids == []
    await in_thread(cancel, job, by="ann")
    [told] = await following.rest()
    assert (told["data"]["state"], following.ids) == ("cancelled", [told["revision"]])
    seen = {"last-event-id": str(told["revision"])}
    again = await stream(f"job:{job.key}", token=token, **seen)
    assert (again.status, await again.body()) == (204, b"")
    other = await stream(f"job:{job.key}", token=token)
    assert [frame["type"] for frame in await other.rest()] == ["snapshot"]
    assert other.ids == [told["revision"]], "a new client is told what to come back with, too"


async def test_who_may_follow_is_the_same_as_on_a_socket(
    stream, monitor, session, token, viewer, foreign_token, cookie_of
):
    async def refused(address: str, status: int, **who: str) -> dict:
        answer = await stream(address, **who)
        assert answer.status == status
        return orjson.loads(await answer.body())

    assert (await refused("monitor:cam-1", 401))["code"] == "not_authenticated"
    assert (await refused("monitor:cam-1", 401, token="wrong"))["code"] == "not_authenticated"
    told = [
        str(await refused(topic, 404, token=foreign_token)).replace(topic, "TOPIC")
        for topic in ("monitor:cam-1", "monitor:none", f"session:{session.key}", "colour:red", "%00")
    ]
    assert len(set(told[:4])) == 1
    assert (await refused("monitor:cam-1?after=3", 400, token=token))["code"] == "no_events"
    for after in ("-1", "x", "1.5", "9" * 30):
        assert (await refused(f"session:{session.key}?after={after}", 400, token=token))[
            "code"
        ] == "bad_after"
    assert (await refused("monitor:cam-1", 405, token=token, method="POST"))["code"] == "method_not_allowed"
    cookie = await in_thread(cookie_of, viewer)
    assert (await stream("monitor:cam-1", cookie=cookie)).status == 200


async def test_a_ticket_in_the_address_opens_one_stream(stream, monitor, viewer):
    ticket = (await in_thread(lambda: issue_ticket(caller_of_user(viewer))))[0]
    assert (await stream(f"monitor:cam-1?ticket={ticket}")).status == 200
    assert (await stream(f"monitor:cam-1?ticket={ticket}")).status == 401


async def test_a_revoked_token_ends_its_stream_within_five_seconds(stream, monitor, token):
    following = await stream("monitor:cam-1", token=token)
    await following.frame()
    await in_thread(lambda: revoke_token(ApiToken.objects.get(), by="test"))
    async with asyncio.timeout(5):
        assert await following.rest() == []


async def test_a_client_that_goes_takes_its_reader_along(stream, monitor, token):
    following = await stream("monitor:cam-1", token=token)
    await following.frame()
    await following.end()
    assert not get_hub().readers and not get_hub().feeds
