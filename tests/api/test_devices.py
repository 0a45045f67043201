"""Devices over REST: registered, changed, given tokens, removed."""

import pytest

DEVICES = "/api/v1/devices/"


@pytest.fixture
def device(as_admin, organisation) -> str:
    body = {"name": "Top", "type": "camera", "slot": "top", "capabilities": ["rgb_video"]}
    answer = as_admin.post(DEVICES, body)
    assert answer.status_code == 201
    return answer.json()["key"]


def test_a_device_is_registered_and_found_by_type_and_slot(as_viewer, device):
    shown = as_viewer.get(f"{DEVICES}{device}/").json()
    assert (shown["name"], shown["slot"], shown["capabilities"]) == ("Top", "top", ["rgb_video"])
    assert shown["last_seen_at"] is None

    def found(query: str) -> int:
        return len(as_viewer.get(f"{DEVICES}?{query}").json()["results"])

    assert (found("type=camera"), found("slot=top"), found("type=phone")) == (1, 1, 0)


def test_only_admins_register_change_and_remove(as_operator, device, refused):
    url = f"{DEVICES}{device}/"
    refused(as_operator.post(DEVICES, {"name": "x", "type": "y"}), 403, "not_allowed")
    refused(as_operator.patch(url, {"name": "x"}), 403, "not_allowed")
    refused(as_operator.post(f"{url}token/"), 403, "not_allowed")
    refused(as_operator.get(f"{url}token/"), 403, "not_allowed")
    refused(as_operator.delete(url), 403, "not_allowed")


def test_a_device_changes_field_by_field(as_admin, device):
    changed = as_admin.patch(f"{DEVICES}{device}/", {"slot": "", "capabilities": []})
    assert (changed.json()["slot"], changed.json()["capabilities"], changed.json()["revision"]) == ("", [], 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"capabilities": "video"},
        {"capabilities": [1]},
        {"capabilities": [""]},
        {"type": "x" * 41},
        {"serial": "1"},
        {"capabilities": ["x"] * 101},
    ],
)
def test_a_device_of_another_shape_is_refused(as_admin, organisation, wrong, refused):
    refused(as_admin.post(DEVICES, {"name": "Top", "type": "camera", **wrong}), 400, "invalid")


def test_its_token_speaks_for_it_and_goes_with_it(as_admin, bearer, device, monitor, refused):
    url = f"{DEVICES}{device}/"
    made = as_admin.post(f"{url}token/", {"scopes": ["control", "read"]})
    assert made.status_code == 201 and made.json()["scopes"] == ["control", "read"]
    client = bearer(made.json()["secret"])
    assert client.get("/api/v1/monitors/cam-1/controller/").status_code == 200
    assert as_admin.get(url).json()["last_seen_at"].endswith("Z")
    [listed] = as_admin.get(f"{url}token/").json()["results"]
    assert listed["key"] == made.json()["key"] and "secret" not in listed
    assert as_admin.delete(url).status_code == 204
    refused(client.get("/api/v1/monitors/cam-1/controller/"), 401, "not_authenticated")


def test_a_foreign_device_is_attached_to_nothing(as_admin, monitor, other_organisation, refused):
    from devices.services import register_device

    foreign = register_device(other_organisation, name="Theirs", type="camera", by="test")
    refused(as_admin.post("/api/v1/monitors/cam-1/devices/", {"device": foreign.key}), 400, "unknown_device")
    refused(as_admin.get(f"{DEVICES}{foreign.key}/"), 404, "not_found")
