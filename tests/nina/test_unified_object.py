"""The unified object key by key, as panels of both kinds read it: after the third live frame of the night."""

from __future__ import annotations

import pytest

from monitoring.nina import store
from monitoring.nina.verbs import change_rig
from sessionsite.common.clock import parse_iso, to_epoch_ms
from tests.nina.player import Player

PUBLISHED = {
    "session_id",
    "session_state",
    "target_name",
    "target_coordinates",
    "current_filter",
    "filter_timestamp",
    "is_guiding",
    "guiding_state",
    "guiding_rms",
    "is_safe",
    "safety_timestamp",
    "start_time",
    "end_time",
    "duration",
    "total_images",
    "exposure_time",
    "camera_temperature",
    "session_stats",
    "recent_events",
}
PANEL = {
    "target",
    "filter",
    "lastImage",
    "safe",
    "activity",
    "lastEquipmentChange",
    "isGuiding",
    "flats",
    "darks",
    "sessionStart",
    "isActive",
    "lastUpdate",
    "events",
    "eventCount",
    "connectionStatus",
    "dataSource",
    "wsStatus",
}
STATISTICS = {
    "ExposureTime": 180.0,
    "ImageType": "LIGHT",
    "Filter": "L",
    "RmsText": 'Tot: 0.38 (0.62")',
    "Temperature": -10.0,
    "CameraName": "QHY268M",
    "TargetName": "NGC 2244",
    "Gain": 56,
    "Offset": 25,
    "Date": "2025-11-15T00:49:55.9998764+01:00",
    "TelescopeName": "FRA600",
    "FocalLength": 600.0,
    "StDev": 723.424,
    "Mean": 985.3,
    "Median": 561.0,
    "Min": 307.0,
    "Max": 65535.0,
    "Stars": 4613,
    "HFR": 2.240504,
    "HFRStDev": 0.105691,
    "IsBayered": False,
    "Filename": "NGC_2244_LIGHT_L_0039.fits",
}
SAVED = "2025-11-14T23:49:56.000Z"
COORDINATES = {
    "RA": 6.531666666666667,
    "Dec": 4.945,
    "RAString": "06:31:54",
    "DecString": "04° 56' 42\"",
    "Epoch": "J2000",
    "RADegrees": 97.975,
}


@pytest.fixture
def empty(rig, client) -> dict:
    change_rig(rig, by="test", is_public=True)
    return client.get("/api/nina/session-state").json()


@pytest.fixture
def shown(rig, script, client, monkeypatch) -> dict:
    monkeypatch.setattr("monitoring.nina.topic.rig_now", lambda rig: script.frames[2].at)
    change_rig(rig, by="test", is_public=True)
    player = Player(rig, script)
    player.rebuild()
    player.play(3)
    store.set_link(rig.pk, status="connected", attempts=0)
    return client.get("/api/nina/session-state").json()


def test_it_has_the_keys_of_the_published_document_and_those_of_the_panel(empty, shown):
    assert (len(PUBLISHED), len(PANEL)) == (19, 17)
    assert empty.keys() == shown.keys() == PUBLISHED | PANEL


def test_before_anything_was_heard_nothing_is_claimed(empty):
    nothing = {name for name, value in empty.items() if value is None}
    assert nothing == {
        *("session_id", "target_name", "target_coordinates", "current_filter", "filter_timestamp"),
        *("guiding_rms", "is_safe", "safety_timestamp", "start_time", "end_time", "duration"),
        *("exposure_time", "camera_temperature", "target", "filter", "lastImage", "lastEquipmentChange"),
        *("sessionStart", "lastUpdate"),
    }
    assert empty["safe"] == {"isSafe": None, "time": None}
    assert empty["activity"] == {"subsystem": None, "state": None, "since": None, "details": None}
    assert (empty["isActive"], empty["events"], empty["eventCount"]) == (False, [], 0)


def test_the_published_keys_of_a_running_night(shown):
    flat = {name: shown[name] for name in PUBLISHED - {"session_stats", "recent_events"}}
    assert flat == {
        "session_id": "session_1763143210250",
        "session_state": "active",
        "target_name": "NGC 2244",
        "target_coordinates": {"ra": "06h 31m 54s", "dec": "+04° 56' 42\""},
        "current_filter": "L",
        "filter_timestamp": "2025-11-14T23:46:31.000Z",
        "is_guiding": 1,
        "guiding_state": "Guiding",
        "guiding_rms": 0.62,
        "is_safe": 1,
        "safety_timestamp": "2025-11-14T21:41:13.290Z",
        "start_time": "2025-11-14T18:00:10.250Z",
        "end_time": None,
        "duration": 20985,
        "total_images": 37,
        "exposure_time": 180.0,
        "camera_temperature": -10.0,
    }
    assert all(type(shown[name]) is int for name in ("is_guiding", "is_safe"))  # 1 is not True on the wire
    assert shown["session_stats"] == {
        "total_images": 37,
        "total_exposure_time": 7800.0,
        "images_per_filter": {"B": 3, "G": 3, "Ha": 19, "L": 9, "R": 3},
        "per_target": {
            "NGC 7331": {"L": {"120": 6}, "R": {"120": 3}, "G": {"120": 3}, "B": {"120": 3}},
            "IC 1805": {"Ha": {"300": 17}},
            "NGC 2244": {"L": {"180": 3}, "Ha": {"180": 2}},
        },
    }


def test_the_keys_of_the_panel_of_a_running_night(rig, shown):
    rig.refresh_from_db()
    heard_ms = to_epoch_ms(parse_iso(rig.link["heard_at"]))
    nested = {name: shown[name] for name in PANEL - {"lastImage", "events"}}
    assert nested == {
        "target": {
            "name": "NGC 2244",
            "project": "Rosette mixed",
            "coordinates": COORDINATES,
            "raString": "06:31:54",
            "decString": "04° 56' 42\"",
            "rotation": 141,
            "startedAt": "2025-11-14T23:31:02.640Z",
            "targetEndTime": "2025-11-15T04:40:00.903Z",
            "isExpired": False,
            "endTime": "2025-11-15T04:40:00.903Z",
        },
        "filter": {"name": "L"},
        "safe": {"isSafe": True, "time": "2025-11-14T21:41:13.290Z"},
        "activity": {
            "subsystem": "guiding",
            "state": "guiding",
            "since": "2025-11-14T23:33:05.800Z",
            "details": None,
        },
        "lastEquipmentChange": {
            "device": "GUIDER",
            "event": "CONNECTED",
            "time": "2025-11-14T18:48:02.600Z",
        },
        "isGuiding": True,
        "flats": {
            "isActive": False,
            "filter": None,
            "brightness": None,
            "imageCount": 0,
            "startedAt": None,
            "lastImageAt": None,
        },
        "darks": {
            "isActive": False,
            "currentExposureTime": None,
            "exposureGroups": {},
            "totalImages": 0,
            "startedAt": None,
            "lastImageAt": None,
        },
        "sessionStart": "2025-11-14T18:00:10.250Z",
        "isActive": True,
        "lastUpdate": SAVED,
        "eventCount": 5,
        "connectionStatus": "connected",
        "dataSource": "unified",
        "wsStatus": {"isConnected": True, "reconnectAttempts": 0, "lastHeartbeat": heard_ms},
    }


def test_the_last_image_in_full(shown):
    assert shown["lastImage"] == {
        "type": "LIGHT",
        "filter": "L",
        "exposureTime": 180.0,
        "temperature": -10.0,
        "hfr": 2.240504,
        "stars": 4613,
        "rms": 0.62,
        **dict.fromkeys(("timestamp", "time", "savedAt"), "2025-11-14T23:49:55.999Z"),  # the image's own date
        "gain": 56,
        "offset": 25,
        "median": 561.0,
        "filename": "NGC_2244_LIGHT_L_0039.fits",
    }


def test_the_events_come_newest_first_and_an_image_with_its_statistics_twice(shown):
    names = [event["eventType"] for event in shown["events"]]
    assert names == [
        "IMAGE-SAVE",
        "IMAGE-PREPARED",
        "FILTERWHEEL-CHANGED",
        "GUIDER-START",
        "TS-TARGETSTART",
    ]
    assert shown["recent_events"][:5] == shown["events"] and len(shown["recent_events"]) == 20
    assert shown["events"][0] == {
        "eventType": "IMAGE-SAVE",
        "timestamp": SAVED,
        "time": SAVED,
        "data": {"ImageStatistics": STATISTICS},
        "enrichedData": {"ImageStatistics": STATISTICS},  # where the viewer of pictures looks
    }
    assert shown["events"][2] == {
        "eventType": "FILTERWHEEL-CHANGED",
        "timestamp": "2025-11-14T23:46:31.000Z",
        "time": "2025-11-14T23:46:31.000Z",
        "data": {"New": {"Name": "L", "Id": 0}, "Previous": {"Name": "Ha", "Id": 4}},
        "enrichedData": {},
    }
