"""Watched sessions through the hub and the streams: leases come and go with readers, the end is told."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import connections

from sessions_app import presence
from sessions_app.models import Session, SubscriberLease
from sessions_app.reaper import reap_once
from sessions_app.services import start_annotation
from sessionsite.common.hub import get_hub, shutdown
from tests.common.things import Listener
from tests.waiting import in_thread, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(transactional_db, organisation):
    return start_annotation(organisation, by="ann", idle_ttl_s=90)


@pytest.fixture
async def hub(session, monkeypatch):
    from sessions_app.topics import SessionTopic

    monkeypatch.setattr(SessionTopic, "authorise", lambda self, caller, name: True)
    yield get_hub()
    await shutdown()


def leases() -> list[int]:
    return list(SubscriberLease.objects.values_list("count", flat=True))


async def counted(*counts: int) -> None:
    async def is_so() -> bool:
        return await in_thread(leases) == list(counts)

    for _ in range(500):
        if await is_so():
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"not {counts} leases but {await in_thread(leases)}")


async def test_the_snapshot_counts_the_reader_itself_and_pushes_the_next(hub, session):
    topic = f"session:{session.key}"
    ann = await Listener(hub).follow(topic)
    await until(lambda: ann.of("snapshot"))
    assert ann.of("snapshot")[0]["data"]["subscriber_count"] == 1
    bob = await Listener(hub).follow(topic)
    await until(lambda: [frame["data"]["subscriber_count"] for frame in ann.of("state")][-1:] == [2])
    bob.reader.close(1000)
    await until(lambda: [frame["data"]["subscriber_count"] for frame in ann.of("state")][-1:] == [1])


async def test_one_hundred_readers_dropped_together_leave_at_once(hub, session):
    readers = [Listener(hub) for _ in range(100)]
    await asyncio.gather(*(reader.follow(f"session:{session.key}") for reader in readers))
    await counted(100)
    for reader in readers:
        reader.reader.close(1000)
    await counted()
    await in_thread(session.refresh_from_db)
    assert session.last_subscriber_left_at is not None


async def test_a_reaped_session_sends_its_end_to_the_stream_that_comes_back(hub, session):
    from datetime import timedelta

    ended = await in_thread(reap_once, session.started_at + timedelta(seconds=91))
    assert [idle.key for idle in ended] == [session.key]
    ann = await Listener(hub, ends_with_topic=True).follow(f"session:{session.key}", after=1)
    await until(lambda: ann.close_code == 1000)
    assert ann.of("snapshot")[0]["data"]["state"] == "expired"
    assert [frame["event"]["kind"] for frame in ann.of("event")] == ["expired"]
    assert await in_thread(leases) == []


def test_of_a_reader_and_a_reaper_that_meet_one_comes_first(session):
    """Twenty meetings: the session is either watched or expired, never both, never neither."""
    from datetime import timedelta

    outcomes = set()
    for number in range(20):
        each = start_annotation(session.organisation, by="ann", idle_ttl_s=1)
        late = each.started_at + timedelta(seconds=60)
        together = threading.Barrier(2)
        seen: dict[str, object] = {}

        def subscribe(each=each, late=late, seen=seen, together=together, number=number):
            together.wait()
            seen["held"] = presence.hold(each.key, f"reader {number}", 1, now=late)
            connections.close_all()

        def reap(late=late, seen=seen, together=together):
            together.wait()
            seen["reaped"] = {idle.key for idle in reap_once(late)}
            connections.close_all()

        threads = [threading.Thread(target=target) for target in (subscribe, reap)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        is_reaped = each.key in seen["reaped"]
        assert seen["held"] is not is_reaped
        assert Session.objects.get(pk=each.pk).state == ("expired" if is_reaped else "active")
        outcomes.add(is_reaped)
    assert outcomes
