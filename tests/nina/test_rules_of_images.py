"""Rules of images, each by itself: these frames lead to these values of the object.

The numbers are those of docs/nina.md; times are seconds into the evening.
"""

from __future__ import annotations

import pytest

from monitoring.nina import store
from monitoring.nina.intake import LiveIntake
from monitoring.nina.report import session_report
from sessions_app.models import Session
from tests.nina.player import shown
from tests.nina.telling import (
    MORNING,
    aims,
    assert_shows,
    ends,
    moment,
    rule,
    saves,
    saves_without_statistics,
    starts,
    tells,
    turns,
)

NONE_COUNTED = {"total_images": 0, "session_stats.total_exposure_time": 0, "exposure_time": None}

IMAGES = [
    rule(
        "R14 exposures add up, by their own filters",
        [starts(), turns(5, "L", "R"), saves(90), saves(390, exposure_s=300, Filter="Ha"), saves(460)],
        {
            "total_images": 3,
            "session_stats.images_per_filter": {"Ha": 1, "L": 2},
            "session_stats.total_exposure_time": 420,
            "exposure_time": 60,
        },
    ),
    rule(
        "R14 an image without a filter was taken through the current one",
        [starts(), turns(5, "L", "R"), saves(90, Filter=""), saves(190, Filter=None)],
        {
            "session_stats.images_per_filter": {"R": 2},
            "session_stats.per_target": {"unknown": {"R": {"60": 2}}},
            "lastImage.filter": "R",
        },
    ),
    rule(
        "R14 without a current one it is unknown",
        [starts(), saves(90, Filter="")],
        {"session_stats.images_per_filter": {"unknown": 1}, "lastImage.filter": None},
    ),
    rule(
        "R14 an image without statistics is a LIGHT through the current filter",
        [starts(), turns(5, "L", "R"), saves_without_statistics(90)],
        {
            "total_images": 1,
            "session_stats.images_per_filter": {"R": 1},
            "session_stats.total_exposure_time": 0,
            "lastImage.type": "LIGHT",
            "lastImage.filter": "R",
        },
    ),
    rule(
        "R14 an image without statistics is a FLAT while flats run",
        [starts(), saves(90, "FLAT"), saves_without_statistics(100)],
        {"total_images": 0, "flats.imageCount": 2, "session_state": "flats", "lastImage.type": "FLAT"},
    ),
    rule(
        "R14 an image without statistics is a LIGHT while darks run",
        [starts(), saves(90, "DARK"), saves_without_statistics(100)],
        {"total_images": 1, "darks.totalImages": 1, "session_state": "active"},
    ),
    *[
        rule(f"R14 a {kind} is no LIGHT", [starts(), saves(90, kind)], NONE_COUNTED)
        for kind in ("FLAT", "DARK", "BIAS", "DARKFLAT", "SNAPSHOT")
    ],
    *[
        rule(f"R14 a {kind} changes no state", [starts(), saves(90, kind)], {"session_state": "active"})
        for kind in ("BIAS", "DARKFLAT", "SNAPSHOT")
    ],
    rule("R14 small letters", [starts(), saves(90, "light")], {"total_images": 1}),
    rule("R14 statistics without a type are of a LIGHT", [starts(), saves(90, None)], {"total_images": 1}),
    rule(
        "R14 statistics without a type are of a LIGHT while flats run too",
        [starts(), saves(90, "FLAT"), saves(190, None)],
        {"total_images": 1, "flats.imageCount": 1},
    ),
    rule(
        "R14 a LIGHT begun before the end counts in what ended",
        [starts(), ends(80), saves(90)],
        {"session_state": "idle", "total_images": 1, "session_stats.total_exposure_time": 60},
    ),
    rule(
        "R14 a FLAT and a DARK begun before the end count in what ended",
        [starts(), ends(80), saves(90, "FLAT"), saves(95, "DARK")],
        {"session_state": "idle", "flats.imageCount": 1, "darks.totalImages": 1},
    ),
    rule(
        "R14 a DARK begun after the end counts nowhere",
        [starts(), ends(80), saves(190, "DARK")],
        {"session_state": "idle", "darks.totalImages": 0, "lastImage.type": "DARK"},
    ),
    rule(
        "R14 an image begun before the end counts no more once another session runs",
        [starts(), ends(80), starts(85), saves(90)],
        {"session_state": "active", "total_images": 0},
    ),
    rule(
        "R14 an image begun as a session ended is none of the next one's",
        [starts(), ends(30), starts(40), saves(90)],
        {"session_state": "active", "total_images": 0},
    ),
    rule(
        "R14 without statistics after the end nothing is counted",
        [starts(), ends(80), saves_without_statistics(90)],
        {"session_state": "idle", "total_images": 0},
    ),
    rule(
        "R14 without statistics it belongs to the session that runs",
        [starts(), ends(80), starts(85), saves_without_statistics(90)],
        {"total_images": 1},
    ),
    rule(
        "R14 images count for their own target, else for the current one",
        [aims(0), saves(90, TargetName="M 31"), saves(190), saves(192.4, exposure_s=2.4)],
        {"session_stats.per_target": {"M 31": {"L": {"60": 1}}, "M 42": {"L": {"60": 1, "2.4": 1}}}},
    ),
    rule(
        "R14 the last image in full",
        [
            starts(),
            saves(
                90.5,
                HFR=2.5,
                Stars=300,
                Temperature=-10,
                Gain=100,
                Offset=30,
                Median=512,
                Filename="a.fits",
                RmsText='(0.42")',
            ),
        ],
        {
            "lastImage": {
                "type": "LIGHT",
                "filter": "L",
                "exposureTime": 60,
                "temperature": -10,
                "hfr": 2.5,
                "stars": 300,
                "rms": 0.42,
                "timestamp": moment(90.5),
                "time": moment(90.5),
                "savedAt": moment(90.5),
                "gain": 100,
                "offset": 30,
                "median": 512,
                "filename": "a.fits",
            },
            "camera_temperature": -10,
        },
    ),
    rule(
        "R14 an image was saved when it says so, not when its frame came",
        [starts(), saves(95, Date=moment(90))],
        {"lastImage.time": moment(90), "lastUpdate": moment(95)},
    ),
    rule(
        "R14 a FLAT without a filter was taken through the current one",
        [starts(), turns(5, "L", "R"), saves(90, "FLAT", Filter="")],
        {"lastImage.filter": "R", "flats.filter": "R"},
    ),
    rule(
        "R14 a DARK without a filter was taken through none",
        [starts(), turns(5, "L", "R"), saves(90, "DARK", Filter="")],
        {"lastImage.filter": None, "current_filter": "R"},
    ),
    rule(
        "R1 statistics that are lost are none",
        [starts(), turns(5, "L", "R"), tells("IMAGE-SAVE", 90, ImageStatistics=["x"])],
        {"total_images": 1, "session_stats.images_per_filter": {"R": 1}, "exposure_time": None},
    ),
    rule(
        "R1 what an image cannot say is null",
        [
            starts(),
            saves(80, Temperature=-10),
            saves(
                90, HFR="NaN", Stars=-1, Temperature="NaN", Gain=[], Filter=[], TargetName="NaN", Filename=""
            ),
        ],
        {
            **{f"lastImage.{name}": None for name in ("hfr", "stars", "temperature", "gain", "filename")},
            "camera_temperature": -10,
            "session_stats.per_target": {"unknown": {"L": {"60": 2}}},
        },
    ),
    rule("R14 HFR 0 of a flat is none", [starts(), saves(90, "FLAT", HFR=0)], {"lastImage.hfr": None}),
    rule(
        "R14 an exposure of less than nothing is none",
        [starts(), saves(90, exposure_s=-1)],
        {"total_images": 1, "session_stats.total_exposure_time": 0, "exposure_time": None},
    ),
]


@pytest.mark.parametrize(("frames", "wanted"), IMAGES)
def test_images_are_counted_as_the_rules_say(frames, wanted):
    assert_shows(frames, wanted)


def test_r14_the_report_counts_by_the_filters_that_the_session_counts_by(rig):
    """The wheel had turned before the session began, and no image names its filter."""
    intake = LiveIntake()
    shift = [saves(-900, Filter="R"), ends(-890), starts(), saves(90, Filter=""), saves(190, Filter="")]
    for frame in (turns(-1000, "G", "B"), turns(-999, "B", "B"), *shift, ends(200)):
        store.receive(rig.pk, [intake.take(frame.text, frame.at)])
    session = Session.objects.order_by("started_at").last()
    report = session_report(session)
    assert report["filters"] == [{"filter": "R", "count": 2, "total_s": 120}]
    assert shown(rig, MORNING)["session_stats"]["images_per_filter"] == {"R": 2}


def test_r14_the_wheel_of_before_is_known_to_the_report_without_an_image_of_before(rig):
    intake = LiveIntake()
    night = (turns(-1000, "G", "B"), turns(-900, "B", "B"), starts(), saves(90, Filter=""), ends(200))
    for frame in night:
        store.receive(rig.pk, [intake.take(frame.text, frame.at)])
    assert session_report(Session.objects.get())["filters"][0]["filter"] == "B"
