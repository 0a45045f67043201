"""What a reader asks for again is replayed whole, however large, before it can send any of it."""

from __future__ import annotations

import pytest

from sessionsite.common import live
from sessionsite.common.hub import get_hub, shutdown
from tests.common.things import Listener, Things
from tests.waiting import until


@pytest.fixture(autouse=True)
def threads_keep_connections(django_db_blocker):
    with django_db_blocker.unblock():
        yield


@pytest.fixture
async def hub(monkeypatch):
    things = Things()
    monkeypatch.setitem(live._registry.topics, "thing", things)
    things.make("a", events=1000)
    yield get_hub()
    await shutdown()


async def test_a_replay_larger_than_the_outbox_has_no_gap(hub):
    ann = Listener(hub, opens=False)
    ann.reader.outbox.limit_bytes = 4000
    await ann.follow("thing:a", after=0)
    assert ann.reader.outbox.size_bytes > 10 * 4000
    ann.reader.open()
    await until(lambda: len(ann.seqs) == 1000)
    assert ann.seqs == list(range(1, 1001))
    assert ann.of("gap") == []
    assert ann.reader.outbox._replay_bytes == 0
