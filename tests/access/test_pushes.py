"""What a reader had, and what was pushed, is what is there afterwards: for every address that writes.

Every row of table.py that may write is asked with something it takes. A new one without it fails here: give
it what it needs, in its row or in SENT.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from django.db import transaction
from django.test import TestCase

from devices.models import Device
from monitoring.models import Image, Monitor, Tag
from monitoring.services import (
    add_tag,
    archive_monitor,
    change_image,
    delete_image,
    delete_tag,
    detach_device,
    edit_picture,
    stop_monitor,
    undo,
)
from sessions_app.models import Session
from sessions_app.services import start_recording
from sessions_app.services.journal import ON_THE_WALL
from sessions_app.services.membership import detach_device as detach_session_device
from sessionsite.common import live
from sessionsite.common.live import find_topic
from tests.access.table import ROWS, Row
from tests.access.test_walk import ask
from tests.access.world import Who, World, build
from tests.pictures import picture

pytestmark = pytest.mark.django_db

BOX = {"label": "dent", "x": 0.1, "y": 0.1, "w": 0.2, "h": 0.2}
PICTURE = b64encode(picture(2)).decode()
WRITES = [row for row in ROWS if row.kind != "closed" and (row.method != "GET" or row.kind == "wire token")]
# What a row needs to succeed, where its own `sent` only gets it in.
SENT: dict[str, dict] = {
    "POST api/v1/organisations/<organisation>/members/": {"user": "viewer", "role": "operator"},
    "PATCH api/v1/organisations/<organisation>/members/<member>/": {"role": "operator"},
    "POST api/v1/organisations/<organisation>/invites/": {"role": "viewer"},
    "POST api/v1/review/": {"review": "accepted"},
    "POST api/v1/tokens/": {"name": "new", "role": "viewer"},
    "POST api/v1/devices/": {"name": "new", "type": "phone"},
    "PATCH api/v1/devices/<device>/": {"name": "renamed"},
    "POST api/v1/devices/<device>/token/": {},
    "POST api/v1/sessions/": {"kind": "annotation"},
    "PATCH api/v1/sessions/<session>/": {"notes": "a note", "name": "a name"},
    "POST api/v1/sessions/<session>/events/": {"label": "a mark"},
    "POST api/v1/sessions/<session>/frames/": {"label": "hum", "confidence": 0.9},
    "POST api/v1/sessions/<session>/images/": {"image": PICTURE},
    "POST api/v1/sessions/<session>/devices/": {"device": "<device>"},
    "POST api/v1/monitors/": {"slug": "new-1"},
    "PATCH api/v1/monitors/<monitor>/": {"name": "renamed", "expected_interval_s": 2},
    "POST api/v1/monitors/<monitor>/controller/ack/": {"request_id": "rq_1"},
    "POST api/v1/monitors/<monitor>/images/": {"image": PICTURE},
    "POST api/v1/monitors/<monitor>/devices/": {"device": "<device>"},
    "PATCH api/v1/images/<image>/": {"label": "another", "review": "rejected"},
    "POST api/v1/images/<image>/tags/": BOX,
    "PUT api/v1/images/<image>/tags/": {"tags": [BOX]},
    "PATCH api/v1/tags/<tag>/": {"label": "hole"},
    "POST api/v1/datasets/": {"name": "new"},
    "PATCH api/v1/datasets/<dataset>/": {"name": "renamed"},
    "POST monitor/<monitor>/image": {"image": PICTURE},
    "POST monitor/updateTags": {
        "dataset": "<dataset>",
        "imageID": "<image>",
        "tags": [{"tag": "dent", "x": 0.1, "y": 0.1, "w": 0.2, "h": 0.2}],
    },
}
# Other addresses are asked on the annotation session, and what has to be there before.
NAMES = {"POST api/v1/sessions/<session>/frames/": {"session": "<annotation>"}}
# Rows that cannot succeed here, and why.
EXCUSED: dict[str, str] = {
    "POST api/nina/session-state/refresh": "no telescope answers",
    "POST api/nina/<rig>/session-state/refresh": "no telescope answers",
    "POST api/v1/jobs/<job>/link/": "the job has no file yet; a link changes nothing that is followed",
    **{
        f"{name}/": "the job of this world is an export; jobs are asked for, not followed"
        for name in (
            "PUT api/v1/jobs/<job>/upload",
            "POST api/v1/jobs/<job>/apply",
            "POST api/v1/jobs/<job>/undo",
        )
    },
    "POST api/v1/monitors/<monitor>/images/batch/": "takes a form; tests/ingest has its pushes",
}


def _recording(world: World) -> None:
    start_recording(Session.objects.get(key=world.names["session"]), by="test")


def _stopped(world: World) -> None:
    stop_monitor(Monitor.objects.get(slug=world.names["monitor"]), by="test")


def _archived(world: World) -> None:
    _stopped(world)
    archive_monitor(Monitor.objects.get(slug=world.names["monitor"]), by="test")


def _deleted(world: World) -> None:
    delete_image(Image.objects.get(key=world.names["image"]), by="test")


def _settled(world: World) -> None:
    change_image(Image.objects.get(key=world.names["image"]), review="accepted", by="test")


def _edited(world: World) -> None:
    image = Image.objects.get(key=world.names["image"])
    add_tag(image, **BOX, by="admin")


def _undone(world: World) -> None:
    _edited(world)
    undo(Image.objects.get(key=world.names["image"]), by="admin")


def _box_gone(world: World) -> None:
    delete_tag(Tag.objects.get(key=world.names["tag"]), revision=1, by="test")


def _attended(world: World) -> None:
    edit_picture(Image.objects.get(key=world.names["image"]), client="page-0001", name="admin")


def _detached(world: World) -> None:
    device = Device.objects.get(key=world.names["device"])
    detach_session_device(Session.objects.get(key=world.names["session"]), device, by="test")
    detach_device(Monitor.objects.get(slug=world.names["monitor"]), device, by="test")


def _empty(world: World) -> None:
    Image.objects.update(dataset=None)


# What is done before, so that the row has something to change.
BEFORE: dict[str, Callable[[World], None]] = {
    "POST api/v1/sessions/<session>/stop_recording/": _recording,
    "DELETE api/v1/monitors/<monitor>/": _stopped,
    "POST api/v1/monitors/<monitor>/restore/": _archived,
    "POST api/v1/monitors/<monitor>/start/": _stopped,
    "POST api/v1/images/<image>/restore/": _deleted,
    "POST api/v1/images/<image>/reopen/": _settled,
    "POST api/v1/images/<image>/undo/": _edited,
    "POST api/v1/images/<image>/redo/": _undone,
    "DELETE api/v1/images/<image>/editors/": _attended,
    "POST api/v1/tags/<tag>/restore/": _box_gone,
    "POST api/v1/sessions/<session>/devices/": _detached,
    "POST api/v1/monitors/<monitor>/devices/": _detached,
    "DELETE api/v1/datasets/<dataset>/": _empty,
    "GET monitor/<monitor>/start": _stopped,
    "POST monitor/<monitor>/start": _stopped,
}


def name_of(row: Row) -> str:
    return f"{row.method} {row.path}"


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker) -> Iterator[World]:
    """Built once; every test leaves it as it was (`ask`)."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield build()
        transaction.set_rollback(True)


@dataclass
class View:
    """What a page holds of one topic: the newest state, and the events that it was given."""

    name: str
    revision: int = 0
    data: dict | None = None
    seq: int | None = None
    events: list[int] = field(default_factory=list)

    def read(self) -> View:
        topic, name = find_topic(self.name)
        snapshot = topic.snapshot(name)
        if snapshot is None:
            self.data, self.revision = None, 0  # the topic is left
        elif self.data is None or snapshot.revision > self.revision:
            self.revision, self.data = snapshot.revision, snapshot.data
        if topic.has_events and snapshot is not None:
            if self.seq is None:
                self.seq = snapshot.seq
            for seq, _ in topic.events(name, self.seq, 1000):
                self.events.append(seq)
                self.seq = seq
        return self


class Reader:
    """Follows every topic of the world as a page does: a snapshot first, then only what is pushed."""

    def __init__(self, world: World) -> None:
        names = world.names
        self.views = {
            name: View(name).read()
            for name in (
                f"fleet:{names['organisation']}",
                f"monitor:{names['monitor']}",
                f"monitor:{names['rig']}",
                f"session:{names['session']}",
                f"session:{names['annotation']}",
                f"session:{names['night']}",
                f"image:{names['image']}",
                f"rig:{names['rig']}",
            )
        }

    def wake(self, topic: str, revision: int | None, seq: int | None, urgent: bool) -> None:
        if topic in self.views:
            self.views[topic].read()

    def shown(self, topic: str):
        """What a page shows of the topic. On the wall a monitor's own topic may be ahead of the fleet's."""
        data = self.views[topic].data
        if data and topic.startswith("session:"):
            return lasting({**data, "last_seq": None})  # the events say it
        if data is None or not topic.startswith("fleet:"):
            return lasting(data)
        own = [self.views.get(f"monitor:{one['slug']}") for one in data["monitors"]]
        monitors = [
            mine.data if mine and mine.data and mine.revision > one["revision"] else one
            for one, mine in zip(data["monitors"], own, strict=True)
        ]
        events = [event for event in data["events"] if event["kind"] in ON_THE_WALL]
        return lasting({**data, "monitors": monitors, "events": events})


def lasting(data):
    """Without what moves by itself; the numbers of a monitor's session belong to its own topic."""
    if isinstance(data, list):
        return [lasting(value) for value in data]
    if not isinstance(data, dict):
        return data
    if isinstance(data.get("session"), dict):
        theirs = {
            name: value for name, value in data["session"].items() if name not in ("revision", "last_seq")
        }
        data = {**data, "session": theirs}
    gone = ("now", "at", "until", "recent", "disk")
    return {name: lasting(value) for name, value in data.items() if name not in gone}


def someone(world: World, row: Row) -> Who:
    wanted = "admin's token" if row.kind == "wire token" else "admin"
    return next(who for who in world.everybody if who.name == wanted)


@pytest.mark.parametrize("row", WRITES, ids=name_of)
def test_the_state_before_and_what_is_pushed_is_the_state_after(world, row):
    if name_of(row) in EXCUSED:
        pytest.skip(EXCUSED[name_of(row)])
    sent = row.sent | ({"json": SENT[name_of(row)]} if name_of(row) in SENT else {})
    names = {name: world.names[other.strip("<>")] for name, other in NAMES.get(name_of(row), {}).items()}
    asked = Row(row.path, row.method, row.right, row.kind, sent, row.unknown)
    with transaction.atomic():
        BEFORE.get(name_of(row), lambda world: None)(world)
        reader = Reader(world)
        live.add_listener(reader.wake)
        try:
            with TestCase.captureOnCommitCallbacks(execute=True):
                answer = ask(world, asked, someone(world, row), names, keep=True)
        finally:
            live.remove_listener(reader.wake)
        assert answer.status_code < 300, f"{name_of(row)}: {answer.status_code} {answer.content[:300]}"
        after = Reader(world)
        for topic, view in reader.views.items():
            fresh = after.views[topic]
            assert reader.shown(topic) == after.shown(topic), topic
            assert view.seq == fresh.seq, f"{topic}: the newest event was not pushed"
            assert view.events == sorted(set(view.events)), topic
            if view.data == fresh.data:
                assert view.revision <= fresh.revision
        transaction.set_rollback(True)


def test_the_check_fails_where_a_change_is_not_pushed(world):
    reader = Reader(world)
    with transaction.atomic():
        Monitor.objects.filter(slug="cam-1").update(name="changed behind everybody's back")
        Session.objects.filter(key=world.names["session"]).update(notes="so is this")
        after = Reader(world)
        for topic in (f"monitor:{world.names['monitor']}", f"session:{world.names['session']}"):
            assert reader.shown(topic) != after.shown(topic)
        transaction.set_rollback(True)
