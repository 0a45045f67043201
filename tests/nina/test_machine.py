"""The engine alone: history and frames in, the object out, judged at every checkpoint of the night."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitoring.nina.events import Event, Malformed, Message, read_entry, read_frame, read_local, us_of
from monitoring.nina.intake import Dedup, LiveIntake, read_history
from monitoring.nina.machine import Machine, State
from monitoring.nina.script import Frame, Script
from monitoring.nina.unified import unified
from tests.nina.night import CHECKPOINTS, ZONE, differences, script

RECENT_AND_CLOCK = (
    "flat.recent_events",  # IMAGE-PREPARED is not in NINA's history
    "ingest",
)


def played(history, images, frames=(), *, cut_every: int | None = None, zone=ZONE):
    """The machine after a history and live frames, and what was counted."""
    seeded = read_history(history, images, zone)
    machine, intake = Machine(zone), LiveIntake()
    for number, event in enumerate(seeded.events):
        machine.apply(event)
        if cut_every and number % cut_every == 0:  # the state survives being kept as JSON
            machine = Machine(zone, State.from_json(json.loads(json.dumps(machine.state.as_json()))))
    for frame in frames:
        if event := intake.take(frame.text, frame.at):
            machine.apply(event)
    return machine, asdict(seeded.ingest.plus(intake.ingest))


@pytest.mark.parametrize("loses_nested", [False, True], ids=["nested", "v2215"])
@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=str)
def test_history_and_live_frames_give_every_checkpoint(checkpoint, loses_nested):
    night = script(loses_nested)
    machine, ingest = played(
        night.history[: checkpoint.entries], night.images, night.frames[: checkpoint.frames]
    )
    wanted = checkpoint.wanted(loses_nested=loses_nested)
    assert differences(unified(machine.state, now=checkpoint.as_of), wanted, ingest) == {}


@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=str)
def test_history_without_images_gives_every_must_and_should(checkpoint):
    night = script()
    machine, ingest = played(night.history[: checkpoint.entries], [], night.frames[: checkpoint.frames])
    wanted = checkpoint.wanted(images=False)
    assert differences(unified(machine.state, now=checkpoint.as_of), wanted, ingest) == {}


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=str)
def test_the_history_alone_gives_every_checkpoint(checkpoint, shuffled):
    night = script()
    night.history = night.history[: checkpoint.entries]
    history = night.history_after(checkpoint.frames)
    if shuffled:
        random.Random(5).shuffle(history)
    machine, ingest = played(history, night.images_after(checkpoint.frames), cut_every=7)
    leave_out = RECENT_AND_CLOCK if checkpoint.frames else ()
    wanted = checkpoint.wanted(leave_out=leave_out)
    assert differences(unified(machine.state, now=checkpoint.as_of), wanted, ingest) == {}


def test_the_session_keeps_its_name_from_the_second_checkpoint_on():
    night = script()
    ids = {}
    for checkpoint in CHECKPOINTS:
        machine, _ = played(
            night.history[: checkpoint.entries], night.images, night.frames[: checkpoint.frames]
        )
        ids[str(checkpoint)] = unified(machine.state, now=checkpoint.as_of)["session_id"]
    assert ids.pop("C1") not in ids.values()
    assert len(set(ids.values())) == 1


def test_the_object_has_the_36_keys_of_both_wires_and_no_session():
    shown = unified(State(), now=datetime(2026, 1, 1, tzinfo=UTC))
    assert len(shown) == 36 and "session" not in shown
    assert shown["is_safe"] is None and shown["safe"] == {"isSafe": None, "time": None}


@pytest.mark.parametrize(
    ("zone", "stamp", "utc"),
    [
        ("America/Phoenix", "2026-01-10T20:15:00.5", "2026-01-11T03:15:00.5+00:00"),  # UTC-7
        ("Europe/Madrid", "2026-03-29T01:30:00", "2026-03-29T00:30:00+00:00"),  # before summer time
        ("Europe/Madrid", "2026-03-29T03:30:00", "2026-03-29T01:30:00+00:00"),  # after the leap
        ("America/Denver", "2026-11-01T03:30:00", "2026-11-01T10:30:00+00:00"),  # winter again
    ],
)
def test_log_stamps_are_local_to_the_site(zone, stamp, utc):
    event = read_entry({"Event": "MOUNT-CENTER", "Time": stamp}, 0, ZoneInfo(zone))
    assert event.at == datetime.fromisoformat(utc)


OTHER_NIGHTS = [
    ("America/Phoenix", 0),  # UTC-7 all the year
    ("America/Denver", -12),  # 1-2 November: 06:00Z to 08:00Z is 00:00 to 01:00, twice 01:00 to 02:00
    ("America/Denver", 113),  # 7-8 March: an hour is left out
    ("Europe/Madrid", -20),  # 25-26 October
    ("Europe/Madrid", 134),  # 28-29 March
    ("Australia/Lord_Howe", 141),  # 4-5 April: half an hour comes twice
]


@pytest.mark.parametrize(("name", "days"), OTHER_NIGHTS)
@pytest.mark.parametrize("hours", [-3, 0, 4])
def test_the_night_at_another_site_and_across_a_change_of_clocks_is_the_same_in_utc(name, days, hours):
    """Written with the stamps that NINA would write there: no stored time differs from the recording's."""
    zone, by = ZoneInfo(name), timedelta(days=days, hours=hours)
    recorded = script()
    seeded = read_history(recorded.history_after(111), recorded.images_after(111), ZONE)
    frames = [
        Frame(event.at + by, {"Response": {"Event": event.type, **_elsewhere(event, zone, by)}})
        for event in seeded.events
    ]
    there = Script([], [], frames, zone)
    found = read_history(there.history_after(len(frames)), there.images_after(len(frames)), zone)
    moments = [(event.type, round_ms(event.at + by)) for event in seeded.events]
    assert [(event.type, round_ms(event.at)) for event in found.events] == moments
    machine, here = Machine(zone), Machine(ZONE)
    for event, same in zip(found.events, seeded.events, strict=True):
        machine.apply(event)
        here.apply(same)
    shown, wanted = (
        unified(each.state, now=CHECKPOINTS[-1].as_of + moved)
        for each, moved in ((machine, by), (here, 0 * by))
    )
    assert shown["duration"] == wanted["duration"]
    for path in ("start_time", "end_time", "safety_timestamp"):
        assert datetime.fromisoformat(shown[path]) == datetime.fromisoformat(wanted[path]) + by
    end, wanted_end = (datetime.fromisoformat(each["target"]["targetEndTime"]) for each in (shown, wanted))
    local = (wanted_end + by).astimezone(zone).replace(tzinfo=None)  # all that NINA says of it
    assert end in {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    for same in ("session_stats", "session_state", "is_safe", "total_images", "flats", "darks"):
        assert _undated(shown[same]) == _undated(wanted[same])


def _undated(value):
    times = ("startedAt", "lastImageAt")
    return {k: v for k, v in value.items() if k not in times} if isinstance(value, dict) else value


def round_ms(moment: datetime) -> datetime:
    """Log lines have four digits of a second."""
    return datetime.fromtimestamp(round(moment.timestamp(), 3), UTC)


def _elsewhere(event: Event, zone: ZoneInfo, by: timedelta) -> dict:
    payload = dict(event.payload)
    if end := read_local(payload.get("TargetEndTime"), ZONE):
        payload["TargetEndTime"] = (end + by).astimezone(zone).replace(tzinfo=None).isoformat()
    if event.statistics:
        date = datetime.fromisoformat(event.statistics["Date"]) + by
        payload["ImageStatistics"] = {**event.statistics, "Date": date.astimezone(zone).isoformat()}
    return payload


@pytest.mark.parametrize(
    ("happened", "end"),
    [
        ("2025-10-26T00:10:00", "2025-10-26T00:30:00+00:00"),
        ("2025-10-26T00:50:00", "2025-10-26T01:30:00+00:00"),
    ],
)
def test_a_target_that_ends_in_the_hour_that_comes_twice_ends_after_it_began(happened, end):
    entry = {"Event": "TS-TARGETSTART", "Time": happened, "TargetName": "M 42"}
    event = read_entry({**entry, "TargetEndTime": "2025-10-26T02:30:00"}, 0, ZONE)
    assert Machine(ZONE).apply(event).target["end_us"] == us_of(datetime.fromisoformat(end))


def test_scheduler_stamps_are_utc_and_end_times_local_to_the_site():
    zone = ZoneInfo("America/Phoenix")
    entry = {
        "Event": "TS-TARGETSTART",
        "Time": "2026-01-11T03:00:00.1234567",
        "TargetName": "M 42",
        "TargetEndTime": "2026-01-10T23:30:00",
    }
    state = Machine(zone).apply(read_entry(entry, 0, zone))
    shown = unified(state, now=datetime(2026, 1, 11, 6, 29, tzinfo=UTC))
    assert shown["start_time"] == "2026-01-11T03:00:00.123Z"
    assert shown["target"]["targetEndTime"] == "2026-01-11T06:30:00.000Z"
    assert not shown["target"]["isExpired"]
    assert unified(state, now=datetime(2026, 1, 11, 6, 31, tzinfo=UTC))["target"]["isExpired"]


AT = datetime(2026, 1, 1, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xfe",
        "not json {",
        '{"Response": {"Event": "A", "x": NaN}}',
        '{"Response": {"Event": "A", "x": 123456789012345678901234567890}}',
        '{"Response": {"Event": "A", "x": ' + "[" * 40 + "]" * 40 + "}}",
        "[" * 5000,
        b'{"Response": {"Event": "A", "x": "' + b"y" * 5_000_000 + b'"}}',
        '{"Response": {"Event": ""}}',
        '{"Response": {"Event": ["IMAGE-SAVE"]}}',
        '{"Response": []}',
        "7",
        '{"Response": {"Event": "\\ud800"}}',
    ],
    ids=lambda frame: str(frame[:34]),
)
def test_a_broken_frame_is_counted_and_nothing_else_changes(frame):
    intake = LiveIntake()
    assert intake.take(frame, AT) is None
    assert asdict(intake.ingest) == {
        "received": 1,
        "accepted": 0,
        "duplicates": 0,
        "malformed": 1,
        "unknown_types": 0,
        "messages": 0,
    }
    assert intake.last_refusal


@pytest.mark.parametrize("stamp", [None, "", "00:01", "2026-01-01", 7, [], "1999-01-01T00:00:00Z", "T"])
def test_an_entry_without_a_usable_time_is_malformed(stamp):
    with pytest.raises(Malformed):
        read_entry({"Event": "GUIDER-STOP", "Time": stamp}, 0, ZONE)


def test_a_text_message_is_no_event():
    assert read_frame('{"Response": "dew heater on", "Type": "Socket"}', AT) == Message("dew heater on")


def event(name: str, seconds: float = 0, **payload) -> Event:
    return Event(name, AT + timedelta(seconds=seconds), payload)


def test_equal_events_within_a_second_are_one_and_other_payloads_are_not():
    dedup = Dedup()
    assert not dedup.is_duplicate(event("AUTOFOCUS-POINT-ADDED", HFR=3.1))
    assert not dedup.is_duplicate(event("AUTOFOCUS-POINT-ADDED", 0.5, HFR=2.1))
    assert dedup.is_duplicate(event("AUTOFOCUS-POINT-ADDED", 0.9, HFR=3.1))
    assert not dedup.is_duplicate(event("AUTOFOCUS-POINT-ADDED", 1.0, HFR=3.1))


def test_a_frame_with_statistics_is_one_image_though_it_is_repeated_late():
    dedup, image = Dedup(), {"Date": "2026-01-01T20:00:00.1234567Z", "ImageType": "LIGHT"}
    assert not dedup.is_duplicate(event("IMAGE-SAVE", ImageStatistics=image))
    assert dedup.is_duplicate(event("IMAGE-SAVE", 1.9, ImageStatistics=image))
    assert not dedup.is_duplicate(event("IMAGE-SAVE", 2, ImageStatistics={**image, "ImageType": "DARK"}))


def test_a_flap_of_the_safety_monitor_within_a_second_ends_unsafe():
    machine, dedup = Machine(UTC), Dedup()
    for seconds, is_safe in ((0, False), (0.3, True), (0.6, False), (0.7, False)):
        change = event("SAFETY-CHANGED", seconds, IsSafe=is_safe)
        if not dedup.is_duplicate(change):
            machine.apply(change)
    assert machine.state.is_safe is False
    assert machine.state.safety_us == us_of(AT + timedelta(seconds=0.6))


def test_an_exposure_that_began_after_the_last_end_opens_a_session():
    machine = Machine(UTC)
    image = {"ImageType": "LIGHT", "ExposureTime": 60, "Date": "2026-01-01T20:02:00Z", "Filter": "L"}
    machine.apply(event("SEQUENCE-STARTING"))
    machine.apply(event("SEQUENCE-FINISHED", 90))
    machine.apply(event("IMAGE-SAVE", 91, ImageStatistics={**image, "Date": "2026-01-01T20:01:31Z"}))
    assert machine.state.fsm == "idle" and machine.state.total_images == 1  # it belongs to the ended one
    machine.apply(event("IMAGE-SAVE", 180, ImageStatistics={**image, "Date": "2026-01-01T20:03:00Z"}))
    assert machine.state.fsm == "active" and machine.state.total_images == 1
    assert machine.state.started_us == us_of(AT + timedelta(seconds=120))
