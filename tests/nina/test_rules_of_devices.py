"""Rules of guider, wheel, equipment and activity, each by itself: these frames lead to these values.

The numbers are those of docs/nina.md; times are seconds into the evening.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.nina.telling import (
    assert_shows,
    ends,
    moment,
    rule,
    saves,
    saves_without_statistics,
    starts,
    state_after,
    tells,
    turns,
)

GUIDER_ON = tells("GUIDER-START", 5)

GUIDING = [
    rule("R12 it is off at first", [starts()], {"is_guiding": 0, "guiding_state": "Stopped"}),
    *[
        rule(
            f"R12 {name} leaves it on",
            [GUIDER_ON, tells(name, 60)],
            {"is_guiding": 1, "isGuiding": True, "guiding_state": "Guiding"},
        )
        for name in ("GUIDER-START", "GUIDER-DITHER", "GUIDER-CONNECTED")
    ],
    rule(
        "R12 GUIDER-STOP: off",
        [GUIDER_ON, tells("GUIDER-STOP", 60)],
        {"is_guiding": 0, "isGuiding": False, "guiding_state": "Stopped"},
    ),
    rule(
        "R12 GUIDER-DISCONNECTED: off",
        [GUIDER_ON, tells("GUIDER-DISCONNECTED", 60), tells("GUIDER-CONNECTED", 61)],
        {"is_guiding": 0, "isGuiding": False, "guiding_state": "Disconnected"},
    ),
    rule(
        "R12 another device's end is none of the guider's",
        [GUIDER_ON, tells("CAMERA-DISCONNECTED", 60)],
        {"guiding_state": "Guiding"},
    ),
    rule("R12 arc seconds, not pixels", [saves(90, RmsText='Tot: 0.26 (0.42")')], {"guiding_rms": 0.42}),
    rule("R12 a decimal comma", [saves(90, RmsText='Ges: 0,26 (0,42")')], {"guiding_rms": 0.42}),
    rule(
        "R12 0.00 is no figure and neither is no text",
        [
            saves(90, RmsText='Tot: 0.26 (0.42")'),
            saves(190, RmsText='Tot: 0.00 (0.00")'),
            saves(290, RmsText=""),
            saves(390),
            saves_without_statistics(490),
        ],
        {"guiding_rms": 0.42, "lastImage.rms": None},
    ),
    rule(
        "R12 only a LIGHT tells it",
        [starts(), saves(90, RmsText='(0.42")'), saves(190, "FLAT", RmsText='(0.9")')],
        {"guiding_rms": 0.42},
    ),
]

WHEEL = [
    rule(
        "R13 the new position", [turns(5, "L", "R")], {"current_filter": "R", "filter_timestamp": moment(5)}
    ),
    rule(
        "R13 a change that is none",
        [turns(5, "L", "R"), turns(60, "R", "R")],
        {"current_filter": "R", "filter_timestamp": moment(5)},
    ),
    rule(
        "R13 a change that is none is no news after an image either",
        [turns(5, "L", "R"), saves(90, Filter="G"), turns(100, "R", "R")],
        {"current_filter": "G"},
    ),
    rule(
        "R13 two positions of one name",
        [
            turns(5, "L", "R"),
            tells("FILTERWHEEL-CHANGED", 60, Previous={"Name": "R", "Id": 1}, New={"Name": "R", "Id": 2}),
        ],
        {"filter_timestamp": moment(60)},
    ),
    rule(
        "R13 an unknown position is null",
        [turns(5, "L", "R"), turns(60, [], [])],
        {"current_filter": None, "filter": None, "filter_timestamp": moment(60)},
    ),
    rule(
        "R1 a position that is no object is unknown",
        [turns(5, "L", "R"), tells("FILTERWHEEL-CHANGED", 60, Previous="R", New="G")],
        {"current_filter": None},
    ),
    rule(
        "R13b an image begun after the change sets it",
        [turns(5, "L", "R"), saves(66, Filter="G")],
        {"current_filter": "G", "filter_timestamp": moment(5)},
    ),
    rule(
        "R13b an image begun with the change or before does not",
        [turns(5, "L", "R"), saves(65, Filter="G")],
        {"current_filter": "R", "lastImage.filter": "G"},
    ),
    rule("R13b without a change an image sets it", [saves(66, Filter="G")], {"current_filter": "G"}),
    rule(
        "R13b an image that names none leaves it",
        [turns(5, "L", "R"), saves(90, Filter="")],
        {"current_filter": "R"},
    ),
]

EQUIPMENT = [
    rule("R16 nothing yet", [starts()], {"lastEquipmentChange": None}),
    rule(
        "R16 the newest change",
        [tells("CAMERA-CONNECTED", 1), tells("WEATHER-DISCONNECTED", 2.5), tells("FLAT-COVER-CLOSED", 3)],
        {"lastEquipmentChange": {"device": "WEATHER", "event": "DISCONNECTED", "time": moment(2.5)}},
    ),
    rule(
        "R16 FLAT and GUIDER too",
        [tells("FLAT-DISCONNECTED", 1), tells("GUIDER-DISCONNECTED", 2), tells("SAFETY-CONNECTED", 3)],
        {"lastEquipmentChange": {"device": "SAFETY", "event": "CONNECTED", "time": moment(3)}},
    ),
    rule(
        "R6 a device that nobody knows is none",
        [tells("TOASTER-CONNECTED", 1), tells("GUIDER-CONNECTED-AGAIN", 2)],
        {"lastEquipmentChange": None, "guiding_state": "Stopped"},
    ),
]

HOMED = [starts(), tells("MOUNT-HOMED", 10)]

GUIDED = [*HOMED, tells("GUIDER-START", 20)]

FOCUSING = [*GUIDED, tells("AUTOFOCUS-STARTING", 30)]


def does(subsystem, word, since, **details) -> dict:
    since = None if since is None else moment(since)
    wanted = {"subsystem": subsystem, "state": word, "since": since, "details": details or None}
    return {"activity": wanted}


ACTIVITIES = [
    rule("R17 none", [starts()], does(None, None, None)),
    *[
        rule(f"R17 MOUNT-{name} is {word}", [starts(), tells(f"MOUNT-{name}", 10)], does("mount", word, 10))
        for name, word in (
            ("HOMED", "homed"),
            ("PARKED", "parked"),
            ("UNPARKED", "unparked"),
            ("BEFORE-FLIP", "flipping"),
            ("AFTER-FLIP", "flipped"),
            ("CENTER", "centered"),
        )
    ],
    rule("R17 the mount of an idle rig does nothing", [tells("MOUNT-HOMED", 10)], does(None, None, None)),
    rule("R17 guiding before the mount", GUIDED, does("guiding", "guiding", 20)),
    rule(
        "R17 repeated, it is guiding since the first",
        [*GUIDED, tells("GUIDER-START", 90)],
        does("guiding", "guiding", 20),
    ),
    rule("R17 autofocus before guiding", FOCUSING, does("autofocus", "running", 30)),
    rule(
        "R17 flats before autofocus",
        [*FOCUSING, tells("FLAT-COVER-CLOSED", 60)],
        does("flats", "calibrating_flats", 60),
    ),
    rule(
        "R17 flats that are saved are captured",
        [*FOCUSING, tells("FLAT-COVER-CLOSED", 60), saves(70, "FLAT", exposure_s=2)],
        does("flats", "capturing_flats", 60),
    ),
    rule(
        "R17 darks before all, with what they are",
        [
            *FOCUSING,
            saves(91, "DARK"),
            saves(160, "DARK"),
            saves(163, "DARK", exposure_s=2.4),
            saves(230, "DARK"),
        ],
        does(
            "darks", "capturing_darks", 31, exposureTime=60, exposureCount=3, totalExposures=2, totalImages=4
        ),
    ),
    rule(
        "R17 darks of an unknown exposure are counted too",
        [starts(), saves(91, "DARK", ExposureTime="NaN")],
        does(
            "darks",
            "capturing_darks",
            91,
            exposureTime=None,
            exposureCount=1,
            totalExposures=1,
            totalImages=1,
        ),
    ),
    *[
        rule(f"R17 {name} ends autofocus", [*FOCUSING, tells(name, 60)], does("guiding", "guiding", 20))
        for name in ("AUTOFOCUS-FINISHED", "ERROR-AF", "GUIDER-START")
    ],
    *[
        rule(f"R17 {name} ends no autofocus", [*FOCUSING, tells(name, 60)], does("autofocus", "running", 30))
        for name in (
            "AUTOFOCUS-POINT-ADDED",
            "GUIDER-STOP",
            "GUIDER-DITHER",
            "ERROR-PLATESOLVE",
            "MOUNT-HOMED",
        )
    ],
    rule(
        "R17 the end ends autofocus",
        [starts(), tells("AUTOFOCUS-STARTING", 30), ends(60)],
        does(None, None, None),
    ),
    rule("R17 guiding that stops", [*GUIDED, tells("GUIDER-STOP", 60)], does("mount", "homed", 10)),
]


@pytest.mark.parametrize(("frames", "wanted"), GUIDING)
def test_guiding_follows_the_guider(frames, wanted):
    assert_shows(frames, wanted)


@pytest.mark.parametrize(("frames", "wanted"), WHEEL)
def test_the_filter_follows_the_wheel_and_images_begun_after_it_turned(frames, wanted):
    assert_shows(frames, wanted)


@pytest.mark.parametrize(("frames", "wanted"), EQUIPMENT)
def test_the_last_change_of_equipment_is_the_newest(frames, wanted):
    assert_shows(frames, wanted)


@pytest.mark.parametrize(("frames", "wanted"), ACTIVITIES)
def test_the_activity_is_the_first_of_darks_flats_autofocus_guiding_and_mount(frames, wanted):
    assert_shows(frames, wanted)


UNKNOWN = (
    "IMAGE-SAVE-FAILED",
    "SEQUENCE-FINISHED-LATER",
    "TS-TARGETSTARTED",
    "GUIDER-PAUSED",
    "X-GUIDER-STOP",
)


@pytest.mark.parametrize("name", UNKNOWN)
def test_r6_an_unknown_type_is_kept_as_recent_and_changes_nothing_else(name):
    before, told = state_after(GUIDED), {"TargetName": "M 1", "IsSafe": False, "New": {"Name": "R"}}
    after = state_after([*GUIDED, tells(name, 60, **told)])
    assert after.recent[:-1] == before.recent
    newest_us = before.newest_us + 40_000_000
    assert after.recent[-1] == {"type": name, "at_us": newest_us, "payload": told}
    assert after.newest_us == newest_us
    assert replace(after, recent=before.recent, newest_us=before.newest_us) == before
