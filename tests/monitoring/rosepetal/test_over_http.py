"""The wire from start to stop against the real server: its lanes, and both servers, as clients meet them."""

import io
import zipfile

import pytest

from tests.site.processes import Server, running

from .conftest import DENIED, image_body, picture

BASE = "/monitor/camera-production-line-1"
BOX = {"tag": "dent", "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}

pytestmark = [pytest.mark.server, pytest.mark.timeout(120), pytest.mark.once]


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def http(request, tmp_path_factory):
    """A client with an administrator's token, and one monitor on the server."""
    with running(Server, "--server", request.param, data_dir=tmp_path_factory.mktemp("data")) as server:
        server.http.headers["Authorization"] = f"Bearer {server.token()}"
        made = server.http.post(
            "/api/v1/monitors/", json={"organisation": "default", "slug": BASE[9:], "name": "L"}
        )
        assert made.status_code == 201, made.text
        yield server.http


def test_from_start_to_stop(http):
    assert http.get(f"{BASE}/start?uid=user123").text == '{"data":{"result":"Started","error":false}}'
    about = {"date": 1706184000000, "name": "product_001.jpg", "dataset": "d1", "tag": "defect"}
    added = http.post(f"{BASE}/image", json=image_body(picture(1), **about)).json()["data"]
    assert http.post(f"{BASE}/image/", json=image_body(picture(1), **about)).json()["data"] == added
    sent = {"dataset": "d1", "imageID": added["id"], "tags": [BOX]}
    assert http.post("/monitor/updateTags", json=sent).text == '{"error":false,"status":"success"}'
    state = http.get(f"{BASE}/state").json()
    assert (state["status"], state["totalCounter"], state["flow"]["current_flow_rate"]) == (True, 1, 1.0)

    address = http.get("/dataset/d1/csv?test=0&validation=0").json()["result"]["training"]["dataset"]
    [row] = http.get(address).text.splitlines()
    set_word, picture_address, *rest = row.split(",")
    assert [set_word, *rest] == ["TRAIN", "dent", "0.1", "0.2", "", "", "0.4", "0.6", "", ""]
    assert http.get(picture_address).content == picture(1)
    packed = http.post("/dataset/d1/downloadZip", json={"images": [added["id"]]}).content
    assert zipfile.ZipFile(io.BytesIO(packed)).read("defect/product_001.jpg") == picture(1)

    assert http.get(f"/image/delete/image/{added['id']}").text == '{"error":false,"status":"success"}'
    assert http.get(f"{BASE}/stop").text == '{"data":{"result":"Stopped","error":false}}'
    [session] = http.get(f"{BASE}/sessions").json()
    assert (session["uid"], session["data"]["totalCounter"]) == ("user123", 1)
    assert (
        http.post(f"{BASE}/image", json=image_body(picture(2))).json()["data"]["result"]
        == "Error: not started"
    )


def test_refusals_have_the_shape_in_every_lane(http):
    too_large = b'{"image":"' + b"A" * (28 * 1024 * 1024) + b'"}'
    answer = http.post(f"{BASE}/image", content=too_large)
    assert (answer.status_code, answer.json()["data"]["error"]) == (413, True)
    answer = http.post("/monitor/updateTags", content=too_large)
    assert (answer.status_code, answer.json()["error"]) == (413, "Failed to update tags")
    answer = http.post("/monitor/updateTags", content=iter([b"{}"]))
    assert (answer.status_code, answer.json()["error"]) == (411, "Failed to update tags")
    answer = http.post(f"{BASE}/image", content=iter([b"{", b"}"]))  # read without a length in this lane
    assert answer.json() == {"data": {"error": True, "result": "Error: image not found"}}
    assert answer.status_code == 400
    for path in (f"{BASE}/image", f"{BASE}/start", f"{BASE}/nothing"):
        answer = http.post(path, json={}, headers={"Authorization": "Bearer wrong"})
        assert answer.json() == DENIED
        assert answer.status_code == (404 if path.endswith("nothing") else 401)
