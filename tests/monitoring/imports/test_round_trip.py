"""What was exported is imported into an empty dataset and is the same there; twice changes nothing."""

from __future__ import annotations

import io
import re
import zipfile
from itertools import pairwise

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring import boxes as rules
from monitoring.boxes import BadTag
from monitoring.models import Image, TagChange
from monitoring.services import NewImage, add_image, replace_tags
from sessionsite.accounts.models import AuditEntry
from tests.monitoring.imports.conftest import Importing, contents
from tests.pictures import picture

pytestmark = pytest.mark.django_db
FORMATS = ["coco", "yolo", "voc", "csv"]
EXACT, PIXEL = 1e-6, 1.0
KEY_NAME = re.compile(r"im_[0-9a-z]{26}\.(jpg|png)")


def same(before: list[tuple], after: list[tuple], format: str) -> None:
    """Labels, splits, names and pictures equal, boxes within 1e-6, of VOC within a pixel.

    A picture without a name leaves under its key, and comes back with that as its name.
    """
    after = sorted((KEY_NAME.sub("", row[0]), *row[1:]) for row in after)
    assert [row[:5] for row in before] == [row[:5] for row in after]
    for (*_, size, _, ours), (*_, theirs) in zip(before, after, strict=True):
        slack_x, slack_y = (PIXEL / size[0], PIXEL / size[1]) if format == "voc" else (EXACT, EXACT)
        left = sorted(theirs)
        for label, x, y, w, h in sorted(ours):
            match = next(
                (
                    box
                    for box in left
                    if box[0] == label
                    and abs(box[1] - x) <= slack_x
                    and abs(box[2] - y) <= slack_y
                    and abs(box[1] + box[3] - x - w) <= slack_x
                    and abs(box[2] + box[4] - y - h) <= slack_y
                ),
                None,
            )
            assert match, (label, x, y, w, h, left)
            left.remove(match)
        assert left == []


def bytes_of(archive: zipfile.ZipFile) -> bytes:
    archive.fp.seek(0)
    return archive.fp.read()


@pytest.fixture
def full(add, dataset):
    """Every split, labels with and without boxes, odd names, two pictures of the same content."""
    add(1, ("dent", 0.1, 0.2, 0.3, 0.4), ("=1+1", 0, 0, 1, 1), name="a.jpg", label="NOK", split="train")
    add(2, ("dent", 1 / 3, 1 / 7, 1e-3, 0.8), name="A.jpg", label="-x", split="valid")
    add(3, name="=cmd, „x“.png", split="test")
    add(4, ("Ω \"quoted\" <b> & 'c'", 0.123456789, 0.5, 0.25, 0.4999999), name="noext")
    add(5, name="../up.jpg", label="OK")
    add(6, ("dent", 0.9, 0.9, 0.1, 0.1), ("dent", 0.9, 0.9, 0.1, 0.1), name="twice.jpg")
    add(7, ("dent", 0.5, 0.5, 0.1, 0.1), name="same.jpg", data=picture(1, size=(640, 480)))
    return dataset


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_comes_back_the_same_and_a_second_time_changes_nothing(
    full, target, exported, importing, format
):
    data = bytes_of(exported(format))
    import_ = importing()
    checked = import_.send(format, data)
    assert checked["state"] == "ready" and checked["result"]["plan"]["new"] == 7, import_.report()
    assert checked["result"]["plan"]["boxes_refused"] == 0
    assert not Image.objects.filter(dataset=target).exists(), "a dry run writes nothing"
    done = import_.apply()
    assert (done["state"], done["result"]["written"]) == ("done", {"images": 7, "boxes": 7, "skipped": 0})
    same(contents(full), contents(target), format)
    assert set(TagChange.objects.filter(image__dataset=target).values_list("source", "author", "verb")) == {
        ("import", "operator", "added")
    }
    assert AuditEntry.objects.filter(verb="imported", object_key="copy").count() == 1
    before, changes = contents(target), TagChange.objects.count()
    again = importing()
    plan = again.send(format, data)["result"]["plan"]
    assert (plan["matched"], plan["new"], plan["boxes_added"], plan["boxes_unchanged"]) == (7, 0, 0, 7)
    assert again.apply()["result"]["written"] == {"images": 0, "boxes": 0, "skipped": 0}
    assert contents(target) == before and TagChange.objects.count() == changes


@pytest.mark.parametrize("format", FORMATS)
def test_annotations_alone_find_their_pictures_again(full, exported, importing, format):
    """Into the same dataset, without the files of the pictures: nothing to do, nothing lost."""
    before = contents(full)
    import_ = importing("ds-1")
    plan = import_.send(format, bytes_of(exported(format, pictures="false")))["result"]["plan"]
    assert (plan["matched"], plan["boxes_added"], plan["boxes_unchanged"]) == (7, 0, 7), import_.report()
    import_.apply()
    assert contents(full) == before


LABELS = (
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12)
    | st.sampled_from(
        ["=SUM(A1)", "'=x", "''=x", "-1", "+", "@a", ",", '"', "a/b", "a\\b", "'", "#", ": ", "- x"]
    )
).filter(lambda text: text.strip() and not {"\ufffe", "\uffff"} & set(text))
NAMES = LABELS.map(lambda text: f"{text}.jpg") | st.sampled_from(["", "CON.jpg", ".jpg", "a.tar.gz", "é.JPG"])
EDGES = st.floats(0, 1, allow_nan=False) | st.sampled_from([0.0, 1.0, 1 / 3, 0.1 + 0.2])


@st.composite
def boxes(draw) -> dict:
    xs, ys = (sorted(draw(st.lists(EDGES, min_size=2, max_size=2))) for _ in "xy")
    place = [(low, high - low) for low, high in (*pairwise(xs), *pairwise(ys))]
    (x, w), (y, h) = place
    return {"label": draw(LABELS), "x": x, "y": y, "w": max(w, 1e-4), "h": max(h, 1e-4)}


def is_kept(box: dict) -> bool:
    try:
        rules.validate_box(box["x"], box["y"], box["w"], box["h"])
    except BadTag:
        return False
    return True


PICTURES = st.tuples(
    NAMES,
    LABELS | st.just(""),
    st.sampled_from(["", "train", "valid", "test"]),
    st.lists(boxes().filter(is_kept), max_size=4),
)


@pytest.mark.parametrize("format", FORMATS)
@settings(
    max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(pictures=st.lists(PICTURES, min_size=1, max_size=4))
def test_odd_labels_and_names_come_back(
    dataset, target, monitor, session, exported, client_of, format, pictures
):
    with transaction.atomic():
        for number, (name, label, split, tags) in enumerate(pictures):
            new = NewImage(data=picture(number), monitor=monitor, name=name, label=label, dataset_key="ds-1")
            image = Image.objects.get(key=add_image(new).key)
            Image.objects.filter(pk=image.pk).update(split=split)
            replace_tags(image, tags=tags, by="ann")
        import_ = Importing(client_of, "copy")
        assert import_.send(format, bytes_of(exported(format)))["state"] == "ready", import_.job()
        assert import_.apply()["state"] == "done", import_.job()
        assert import_.report(outcome="skipped") == []
        same(contents(dataset), contents(target), format)
        transaction.set_rollback(True)


def test_a_zip_that_other_tools_repack_is_read_as_well(full, target, exported, importing):
    archive = exported("yolo")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name in sorted(archive.namelist(), reverse=True):
            if name != "pictures.csv":
                packed.writestr(f"export/{name}", archive.read(name))
    import_ = importing()
    assert import_.send("yolo", stream.getvalue())["result"]["plan"]["new"] == 7
    import_.apply()
    assert sorted(row[2] for row in contents(target)) == sorted(row[2] for row in contents(full))
    assert sum(len(row[-1]) for row in contents(target)) == 7
