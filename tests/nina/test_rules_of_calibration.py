"""Rules of flats and darks, each by itself: these frames lead to these values of the object.

The numbers are those of docs/nina.md; times are seconds into the evening.
"""

from __future__ import annotations

import pytest

from tests.nina.telling import (
    EVENING,
    aims,
    assert_shows,
    ends,
    moment,
    rule,
    safety,
    saves,
    starts,
    tells,
    turns,
)

FLATS = [starts(), tells("FLAT-COVER-CLOSED", 60)]

DARKS = [starts(), saves(90, "DARK")]

LEAVES = [
    tells("FLAT-COVER-OPENED", 300),
    tells("FLAT-DISCONNECTED", 300),
    starts(300),
    aims(300),
    aims(300, name="TS-NEWTARGETSTART"),
    saves(300),
]

STAYS = [
    tells("FLAT-CONNECTED", 300),
    tells("FLAT-LIGHT-TOGGLED", 300),
    tells("GUIDER-START", 300),
    tells("CAMERA-DISCONNECTED", 300),
    safety(300, False),
    saves(300, "BIAS"),
]


def name_of(frame) -> str:
    kind = frame.flat.get("ImageStatistics", {}).get("ImageType")
    return f"{frame.flat['Event']} {kind}" if kind else frame.flat["Event"]


CALIBRATION = [
    rule(
        "R15 FLAT-COVER-CLOSED while active starts flats",
        [starts(), turns(30, "L", "R"), tells("FLAT-COVER-CLOSED", 60)],
        {
            "session_state": "flats",
            "session_id": f"session_{int(EVENING.timestamp() * 1000)}",
            "isActive": True,
            "end_time": None,
            "flats": {
                "isActive": True,
                "filter": "R",
                "brightness": None,
                "imageCount": 0,
                "startedAt": moment(60),
                "lastImageAt": None,
            },
        },
    ),
    rule("R15 not while idle", [tells("FLAT-COVER-CLOSED", 60)], {"session_state": "idle"}),
    rule(
        "R15 not while paused",
        [starts(), safety(10, False), tells("FLAT-COVER-CLOSED", 60)],
        {"session_state": "paused", "flats.startedAt": None},
    ),
    rule(
        "R15 FLAT-CONNECTED starts nothing",
        [starts(), tells("FLAT-CONNECTED", 60)],
        {"session_state": "active"},
    ),
    rule(
        "R15 a FLAT image starts flats at its exposure start",
        [starts(), saves(90, "FLAT"), saves(95, "FLAT", exposure_s=2, Filter="")],
        {
            "session_state": "flats",
            "flats": {
                "isActive": True,
                "filter": "L",
                "brightness": None,
                "imageCount": 2,
                "startedAt": moment(30),
                "lastImageAt": moment(95),
            },
        },
    ),
    rule(
        "R15 a FLAT image starts flats while paused too",
        [starts(), safety(10, False), saves(90, "FLAT")],
        {"session_state": "flats"},
    ),
    rule(
        "R15 flats tell the panel's brightness and the wheel's filter",
        [*FLATS, tells("FLAT-BRIGHTNESS-CHANGED", 65, Previous=0, New=384), turns(70, "R", "G")],
        {"flats.brightness": 384, "flats.filter": "G", "flats.startedAt": moment(60)},
    ),
    rule(
        "R15 a FLAT image tells its own filter, though the wheel has turned since",
        [*FLATS, turns(85, "G", "R"), saves(90, "FLAT", exposure_s=10, Filter="G")],
        {"flats.filter": "G", "current_filter": "R"},
    ),
    rule(
        "R15 the wheel changes nothing of flats that are over",
        [*FLATS, turns(70, "L", "R"), tells("FLAT-COVER-OPENED", 80), turns(90, "R", "G")],
        {"flats.filter": "R", "flats.isActive": False},
    ),
    rule(
        "R15 a DARK image starts darks, counted by their exposures",
        [starts(), saves(90, "DARK"), saves(160, "DARK"), saves(170, "DARK", exposure_s=2.4)],
        {
            "session_state": "darks",
            "isActive": True,
            "total_images": 0,
            "darks": {
                "isActive": True,
                "currentExposureTime": 2.4,
                "exposureGroups": {"60": 2, "2.4": 1},
                "totalImages": 3,
                "startedAt": moment(30),
                "lastImageAt": moment(170),
            },
        },
    ),
    rule(
        "R15 darks after flats",
        [*FLATS, saves(90, "DARK")],
        {"session_state": "darks", "flats.isActive": False},
    ),
    rule(
        "R15 flats after darks",
        [*DARKS, saves(190, "FLAT")],
        {"session_state": "flats", "darks.isActive": False},
    ),
    rule(
        "R15 a closed cover during darks starts no flats",
        [*DARKS, tells("FLAT-COVER-CLOSED", 100)],
        {"session_state": "darks"},
    ),
    *[
        rule(
            f"R15 {name_of(frame)} leaves {kind}",
            [*frames, frame],
            {"session_state": "active", f"{kind}.isActive": False},
        )
        for kind, frames in (("flats", FLATS), ("darks", DARKS))
        for frame in LEAVES
    ],
    *[
        rule(
            f"R15 the end leaves {kind}",
            [*frames, ends(300)],
            {"session_state": "idle", f"{kind}.isActive": False},
        )
        for kind, frames in (("flats", FLATS), ("darks", DARKS))
    ],
    *[
        rule(f"R15 {name_of(frame)} leaves {kind} as they are", [*frames, frame], {"session_state": kind})
        for kind, frames in (("flats", FLATS), ("darks", DARKS))
        for frame in STAYS
    ],
    *[
        rule(
            f"R15 {name} wakes nothing that has ended",
            [starts(), ends(60), tells(name, 70)],
            {"session_state": "idle"},
        )
        for name in ("FLAT-COVER-OPENED", "FLAT-DISCONNECTED", "GUIDER-START")
    ],
    *[
        rule(
            f"R15 {name} resumes no pause",
            [starts(), safety(10, False), tells(name, 70)],
            {"session_state": "paused"},
        )
        for name in ("FLAT-COVER-OPENED", "FLAT-DISCONNECTED")
    ],
]


@pytest.mark.parametrize(("frames", "wanted"), CALIBRATION)
def test_flats_and_darks_begin_and_end_as_the_rules_say(frames, wanted):
    assert_shows(frames, wanted)
