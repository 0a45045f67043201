"""Rules of sessions, targets and safety, each by itself: these frames lead to these values of the object.

The numbers are those of docs/nina.md; times are seconds into the evening.
"""

from __future__ import annotations

import pytest

from tests.nina.telling import (
    EVENING,
    MORNING,
    aims,
    assert_shows,
    ends,
    moment,
    rule,
    safety,
    saves,
    saves_without_statistics,
    starts,
    tells,
)

STARTED = f"session_{int(EVENING.timestamp() * 1000)}"

COORDINATES = {"RAString": "05:35:17", "DecString": "-05° 23' 28\""}

SESSIONS = [
    rule(
        "R7 SEQUENCE-STARTING opens",
        [starts(0.25)],
        {
            "session_id": f"session_{int(EVENING.timestamp() * 1000) + 250}",
            "session_state": "active",
            "isActive": True,
            "start_time": moment(0.25),
            "end_time": None,
            "total_images": 0,
            "target": None,
        },
    ),
    rule("R7 TS-TARGETSTART opens", [aims(5)], {"session_state": "active", "start_time": moment(5)}),
    rule(
        "R7 TS-NEWTARGETSTART opens",
        [aims(5, name="TS-NEWTARGETSTART")],
        {"session_state": "active", "start_time": moment(5), "target_name": "M 42"},
    ),
    rule(
        "R7 a second SEQUENCE-STARTING while open changes nothing",
        [starts(), aims(1), saves(90), starts(100)],
        {"session_id": STARTED, "start_time": moment(0), "total_images": 1, "target_name": "M 42"},
    ),
    rule(
        "R7 a new session begins with zeros and without a target",
        [
            starts(),
            aims(1),
            saves(90),
            saves(100, "FLAT"),
            saves(110, "DARK"),
            tells("MOUNT-HOMED", 115),
            ends(120),
            starts(300),
        ],
        {
            "start_time": moment(300),
            "end_time": None,
            "total_images": 0,
            "session_stats": {
                "total_images": 0,
                "total_exposure_time": 0,
                "images_per_filter": {},
                "per_target": {},
            },
            "target_name": None,
            "flats.imageCount": 0,
            "darks.totalImages": 0,
            "darks.exposureGroups": {},
            "activity.subsystem": None,
        },
    ),
    rule(
        "R7 an open session of a target is none that SEQUENCE-STARTING opens",
        [aims(0), starts(60)],
        {"session_id": STARTED, "target_name": "M 42"},
    ),
    rule(
        "R7b the first LIGHT of all opens at its exposure start",
        [saves(90)],
        {"session_state": "active", "start_time": moment(30), "total_images": 1},
    ),
    rule(
        "R7b a LIGHT begun as the last session ended opens nothing",
        [starts(), ends(30), saves(90)],
        {"session_state": "idle", "session_id": STARTED, "total_images": 1},
    ),
    rule(
        "R7b a LIGHT without statistics opens nothing",
        [saves_without_statistics(90)],
        {"session_id": None, "session_state": "idle", "total_images": 0},
    ),
    rule("R7b a FLAT opens nothing", [saves(90, "FLAT")], {"session_id": None, "flats.imageCount": 0}),
    rule("R7b a DARK opens nothing", [saves(90, "DARK")], {"session_id": None, "darks.totalImages": 0}),
    *[
        rule(
            f"R9 SEQUENCE-{word} ends and the values stay",
            [starts(), aims(1), saves(90), tells(f"SEQUENCE-{word}", 120)],
            {
                "session_state": "idle",
                "isActive": False,
                "end_time": moment(120),
                "duration": 120,
                "session_id": STARTED,
                "target_name": "M 42",
                "total_images": 1,
            },
        )
        for word in ("FINISHED", "STOPPED", "COMPLETED")
    ],
    rule(
        "R9 a second end changes nothing",
        [starts(), ends(60), tells("SEQUENCE-STOPPED", 70)],
        {"end_time": moment(60)},
    ),
    rule("R9 an end without a session is none", [ends(60)], {"end_time": None, "session_id": None}),
    rule(
        "R9 the end takes back the pause",
        [starts(), safety(10, False), ends(20), starts(30), safety(40, False), saves(101)],
        {"session_state": "active"},
    ),
]

TARGETS = [
    rule(
        "R8 another name switches and the session goes on",
        [starts(), aims(10, Coordinates=COORDINATES, ProjectName="Nebulae", Rotation=12), aims(60, "M 31")],
        {
            "session_id": STARTED,
            "target_name": "M 31",
            "target.startedAt": moment(60),
            "target.project": None,
            "target.rotation": None,
            "target_coordinates": None,
        },
    ),
    rule(
        "R8 the same name keeps its start and what is not said again",
        [
            starts(),
            aims(10, Coordinates=COORDINATES, ProjectName="Nebulae", Rotation=12),
            aims(60, Rotation=14, Coordinates=None, name="TS-NEWTARGETSTART"),
        ],
        {
            "target.startedAt": moment(10),
            "target.project": "Nebulae",
            "target.rotation": 14,
            "target.coordinates": COORDINATES,
            "target.raString": "05:35:17",
            "target.decString": "-05° 23' 28\"",
            "target_coordinates": {"ra": "05h 35m 17s", "dec": "-05° 23' 28\""},
        },
    ),
    rule(
        "R8 SEQUENCE-STARTING leaves the target",
        [aims(0), tells("SEQUENCE-STARTING", 60, TargetName="M 31")],
        {"target_name": "M 42", "target.startedAt": moment(0)},
    ),
    rule(
        "R1 a target without a name is none",
        [aims(0), aims(60, []), aims(70, ""), aims(80, 7)],
        {"target_name": "M 42", "target.startedAt": moment(0)},
    ),
    rule(
        "R1 coordinates that are lost are none",
        [aims(0, Coordinates={"RAString": [], "DecString": []}, Rotation=[], ProjectName="")],
        {"target.coordinates": None, "target.rotation": None, "target.project": None},
    ),
    rule(
        "R18 a target that has expired ends nothing",
        [aims(0, TargetEndTime=moment(60))],
        {
            "target.isExpired": True,
            "target.targetEndTime": moment(60),
            "target.endTime": moment(60),
            "session_state": "active",
            "end_time": None,
        },
    ),
    rule(
        "R18 at its end a target has not expired yet",
        [aims(0, TargetEndTime=MORNING.isoformat())],
        {"target.isExpired": False},
    ),
    rule(
        "R18 without an end nothing expires",
        [aims(0)],
        {"target.isExpired": False, "target.targetEndTime": None},
    ),
]

PAUSED = [starts(), safety(60, False)]

SAFETY = [
    rule("R10 nothing is known at first", [starts()], {"is_safe": None, "safety_timestamp": None}),
    rule(
        "R10 unsafe while active pauses",
        PAUSED,
        {"session_state": "paused", "isActive": True, "is_safe": 0, "safety_timestamp": moment(60)},
    ),
    rule("R10 safe while active pauses nothing", [starts(), safety(60, True)], {"session_state": "active"}),
    rule("R10 unsafe while idle", [safety(60, False)], {"session_state": "idle", "is_safe": 0}),
    rule(
        "R10 unsafe during flats",
        [starts(), saves(90, "FLAT"), safety(100, False)],
        {"session_state": "flats", "is_safe": 0, "safety_timestamp": moment(100)},
    ),
    rule(
        "R10 unsafe during darks",
        [starts(), saves(90, "DARK"), safety(100, False)],
        {"session_state": "darks", "is_safe": 0, "safety_timestamp": moment(100)},
    ),
    rule(
        "R1 a word instead of a boolean says nothing",
        [starts(), safety(60, "false"), safety(70, []), safety(80, 0)],
        {"session_state": "active", "is_safe": None, "safety_timestamp": None},
    ),
    rule(
        "R11 safe alone does not resume",
        [*PAUSED, safety(90, True)],
        {"session_state": "paused", "is_safe": 1, "safety_timestamp": moment(90)},
    ),
    *[
        rule(f"R11 {name} resumes", [*PAUSED, tells(name, 90)], {"session_state": "active", "is_safe": 0})
        for name in ("GUIDER-START", "SEQUENCE-STARTING", "TS-TARGETSTART", "TS-NEWTARGETSTART")
    ],
    *[
        rule(f"R11 {name} does not resume", [*PAUSED, tells(name, 90)], {"session_state": "paused"})
        for name in ("GUIDER-STOP", "GUIDER-DITHER", "GUIDER-CONNECTED", "FLAT-COVER-OPENED", "MOUNT-HOMED")
    ],
    rule(
        "R11 a LIGHT begun after the pause resumes",
        [*PAUSED, saves(120.1)],
        {"session_state": "active", "total_images": 1},
    ),
    rule(
        "R11 a LIGHT begun with the pause or before counts and does not resume",
        [*PAUSED, saves(61), saves(120)],
        {"session_state": "paused", "total_images": 2},
    ),
    rule(
        "R11 a LIGHT without statistics does not resume",
        [*PAUSED, saves_without_statistics(200)],
        {"session_state": "paused", "total_images": 1},
    ),
    rule(
        "R11 a second alarm pauses anew",
        [*PAUSED, tells("GUIDER-START", 70), safety(80, True), safety(90, False), saves(140)],
        {"session_state": "paused"},
    ),
]


@pytest.mark.parametrize(("frames", "wanted"), SESSIONS)
def test_a_session_begins_and_ends_as_the_rules_say(frames, wanted):
    assert_shows(frames, wanted)


@pytest.mark.parametrize(("frames", "wanted"), TARGETS)
def test_the_target_is_what_the_scheduler_said_last(frames, wanted):
    assert_shows(frames, wanted)


@pytest.mark.parametrize(("frames", "wanted"), SAFETY)
def test_an_alarm_pauses_and_only_work_resumes(frames, wanted):
    assert_shows(frames, wanted)
