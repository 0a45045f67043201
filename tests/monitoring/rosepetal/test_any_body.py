"""Whatever a body holds, the answer is JSON in shape and never a 5xx."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.models import Image

from .conftest import image_body, picture
from .test_errors import is_failure

BASE = "/monitor/camera-production-line-1"
bounded = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

text = st.text(st.characters(codec="utf-8"), max_size=30)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
sides = st.floats(-0.2, 1.2) | values
boxes = st.lists(
    st.fixed_dictionaries({}, optional={"tag": text | values, **dict.fromkeys("xywh", sides)}) | values,
    max_size=3,
)
GOOD_IMAGE = image_body(picture())["image"]


def maybe(**fields):
    """A dict where each field may be missing, sound or anything."""
    return st.fixed_dictionaries({}, optional={name: field | values for name, field in fields.items()})


image_bodies = maybe(
    image=st.just(GOOD_IMAGE) | text,
    image_data=maybe(
        date=st.integers(946684800000, 4102444800000) | st.floats(0, 5e12), name=text, dataset=text, tag=text
    ),
)


def check(answer) -> None:
    assert answer.status_code < 500, answer.content
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert answer.status_code == 200 or is_failure(body)


@bounded
@given(body=image_bodies | values)
def test_pictures(body, running, wire):
    check(wire.post(f"{BASE}/image", body))


@pytest.fixture
def image(running, wire) -> Image:
    answer = wire.post(f"{BASE}/image", image_body(dataset="d1"))
    return Image.objects.get(key=answer.json()["data"]["id"])


@bounded
@given(data=st.data())
def test_boxes(data, image, wire):
    body = data.draw(maybe(dataset=st.just("d1"), imageID=st.just(image.key), tags=boxes) | values)
    check(wire.post("/monitor/updateTags", body))


@bounded
@given(body=maybe(request_id=text) | values)
def test_acknowledgements(body, running, wire):
    check(wire.post(f"{BASE}/controller", body))


@bounded
@given(data=st.data())
def test_zips(data, image, wire):
    keys = st.lists(st.just(image.key) | text | values, max_size=4)
    answer = wire.post("/dataset/d1/downloadZip", data.draw(maybe(images=keys) | values))
    if answer.status_code == 200:
        assert answer.getvalue()[:2] == b"PK"
    else:
        check(answer)


@bounded
@given(body=maybe(uid=text) | values, verb=st.sampled_from(["start", "stop"]))
def test_starts_and_stops(body, verb, monitor, wire):
    check(wire.post(f"{BASE}/{verb}", body))


@bounded
@given(
    body=st.binary(max_size=200)
    | st.builds(lambda body, cut: json.dumps(body).encode()[:-cut], image_bodies, st.integers(1, 9))
)
@pytest.mark.parametrize(
    "path", [f"{BASE}/image", "/monitor/updateTags", f"{BASE}/controller", f"{BASE}/start"]
)
def test_junk_bytes(path, body, running, wire):
    check(wire.post(path, body))


@bounded
@given(
    path=st.text(st.characters(codec="utf-8", exclude_characters="?#"), max_size=20),
    prefix=st.sampled_from(["/monitor/", "/image/", "/image/delete/image/", "/dataset/"]),
)
def test_any_address(path, prefix, monitor, wire):
    check(wire.get(prefix + path))
