"""A rig that was added without its site's zone: what is stored becomes right once the zone is corrected."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitoring.nina import store
from monitoring.nina.events import Event
from monitoring.nina.models import Rig, RigEvent
from monitoring.nina.script import stamp_of
from monitoring.nina.state import State
from monitoring.nina.verbs import add_rig, change_rig
from sessions_app.models import Session, SessionEvent
from sessionsite.common import clock
from tests.nina.player import BOOT, Player, assert_follows_from_the_journal

MADRID = ZoneInfo("Europe/Madrid")
HOUR = timedelta(hours=1)  # that winter is ahead of UTC there


@pytest.fixture
def astray(organisation):
    """In Madrid, and nobody has said so."""
    return add_rig(organisation, slug="astray", by="test")


def corrected(player: Player) -> None:
    """A person corrects the zone; the listener's next connection reads the history again."""
    player.rig = change_rig(player.rig, by="test", site_zone="Europe/Madrid")
    player.rebuild()


def times_of(rig) -> list[tuple[int, str, datetime]]:
    rows = RigEvent.objects.filter(rig=rig, index__isnull=False).order_by("index")
    return [(row.index, row.type, row.at) for row in rows]


def state_of(rig) -> dict:
    return State.from_json(Rig.objects.get(pk=rig.pk).state).as_json()


def sessions_of(rig) -> list[dict]:
    names = ("state", "started_at", "stopped_at", "total_counter", "data")
    return list(Session.objects.filter(monitor=rig.monitor).order_by("started_at").values(*names))


def test_a_corrected_zone_corrects_the_stored_times_and_all_that_follows_from_them(astray, rig, script):
    player, fresh = Player(astray, script), Player(rig, script)
    player.rebuild()
    fresh.rebuild()
    wrong = {index: at for index, _, at in times_of(astray)}
    off = {name for index, name, at in times_of(rig) if wrong[index] - at == HOUR}
    assert off == {"ERROR-AF", "ERROR-PLATESOLVE", "MOUNT-CENTER"} and state_of(astray) != state_of(rig)
    corrected(player)
    assert times_of(astray) == times_of(rig)
    assert state_of(astray) == state_of(rig)
    assert sessions_of(astray) == sessions_of(rig)
    assert Rig.objects.get(pk=astray.pk).ingest == Rig.objects.get(pk=rig.pk).ingest
    assert_follows_from_the_journal(astray)


def test_a_corrected_zone_corrects_a_night_that_was_followed_by_its_frames(astray, rig, script):
    player, fresh = Player(astray, script), Player(rig, script)
    player.rebuild()
    for upto in (30, 70, len(script.frames)):
        player.play(upto)
        player.rebuild()
    fresh.position = len(script.frames)
    fresh.rebuild()
    corrected(player)
    assert times_of(astray) == times_of(rig)
    unlike = {name for name, value in state_of(rig).items() if state_of(astray)[name] != value}
    assert unlike <= {"recent"}  # the frames that no history tells of
    assert sessions_of(astray) == sessions_of(rig)
    assert_follows_from_the_journal(astray)


def test_the_journal_of_a_session_tells_the_corrected_time_once(astray, rig, script):
    player = Player(astray, script)
    player.rebuild()
    Player(rig, script).rebuild()
    told = SessionEvent.objects.filter(session__monitor=astray.monitor)
    right = SessionEvent.objects.get(session__monitor=rig.monitor, kind="autofocus_failed")
    wrong = told.get(kind="autofocus_failed")
    assert wrong.at == right.at + HOUR
    corrected(player)
    player.rebuild()
    assert told.filter(kind="time_corrected").count() == 2  # the other one is a plate that was not solved
    entry = told.get(kind="time_corrected", at=right.at)
    assert entry.session == wrong.session
    assert entry.detail["entry"] == wrong.seq and entry.detail["was_at"] == clock.iso(wrong.at)
    assert told.get(kind="autofocus_failed").at == wrong.at  # what a journal has said it has said


def test_frames_that_were_held_back_behind_a_wrong_time_get_their_own(astray):
    now = clock.now()
    centred = {"Event": "MOUNT-CENTER", "Time": stamp_of("MOUNT-CENTER", now - timedelta(seconds=10), MADRID)}
    store.rebuild(astray.pk, application_start=BOOT, entries=[centred], images=[])
    ahead = RigEvent.objects.get(type="MOUNT-CENTER").at
    assert ahead > now + 0.9 * HOUR
    store.receive(astray.pk, [Event("IMAGE-PREPARED", now)])
    prepared = RigEvent.objects.get(type="IMAGE-PREPARED")
    assert prepared.at == ahead
    change_rig(Rig.objects.get(pk=astray.pk), by="test", site_zone="Europe/Madrid")
    store.rebuild(astray.pk, application_start=BOOT, entries=[centred], images=[])
    prepared.refresh_from_db()
    assert prepared.at == prepared.received_at
    store.receive(astray.pk, [Event("GUIDER-DITHER", prepared.at + timedelta(seconds=1))])
    assert RigEvent.objects.get(type="GUIDER-DITHER").at == prepared.at + timedelta(seconds=1)


def test_a_log_line_that_nina_notes_late_and_with_an_earlier_time_is_no_second_event(rig):
    at = datetime(2026, 1, 1, 22, tzinfo=MADRID)
    history = [{"Event": "ERROR-AF", "Time": stamp_of("ERROR-AF", at, MADRID)}]
    store.rebuild(rig.pk, application_start=BOOT, entries=history, images=[])
    history.append({"Event": "ERROR-AF", "Time": stamp_of("ERROR-AF", at - timedelta(seconds=0.5), MADRID)})
    for _ in range(2):
        store.rebuild(rig.pk, application_start=BOOT, entries=history, images=[])
    assert [row.index for row in RigEvent.objects.counted()] == [1]
    rig.refresh_from_db()
    wanted = {"received": 2, "accepted": 1, "duplicates": 1}
    assert {name: rig.ingest[name] for name in wanted} == wanted
    assert_follows_from_the_journal(rig)
