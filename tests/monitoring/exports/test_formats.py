"""What each format holds, read by readers that know only its published description."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
from PIL import Image as Pillow

from monitoring.services import change_dataset, delete_image
from tests.monitoring.exports.readers import (
    read_automl,
    read_cvat,
    read_index,
    read_voc,
    read_yolo,
    sizes_of,
)

pytestmark = pytest.mark.django_db
WORKED = ("defect", 0.1, 0.2, 0.3, 0.4)  # of the format table: a picture of 640 x 480


def coco_of(archive, tmp_path):
    """Opened by the loader that everybody uses."""
    from pycocotools.coco import COCO

    path = tmp_path / "annotations.json"
    path.write_bytes(archive.read("annotations.json"))
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def test_coco_opens_in_its_own_loader(add, exported, tmp_path):
    add(1, WORKED, ("hole", 0.5, 0.5, 0.5, 0.5), label="NOK", split="train")
    add(2)
    coco = coco_of(exported("coco"), tmp_path)
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["defect", "hole"]
    first, second = coco.loadImgs(coco.getImgIds())
    assert (first["width"], first["height"], first["label"], first["split"]) == (640, 480, "NOK", "train")
    boxes = coco.loadAnns(coco.getAnnIds(imgIds=[first["id"]]))
    assert boxes[0]["bbox"] == [64, 96, 192, 192] and boxes[0]["area"] == 36864 and boxes[0]["iscrowd"] == 0
    assert boxes[1]["bbox"] == [320, 240, 320, 240]
    assert coco.getAnnIds(imgIds=[second["id"]]) == []


def test_yolo_counts_from_the_middle_and_an_empty_text_is_background(add, exported):
    add(1, WORKED, split="train")
    add(2, split="valid")
    add(3, ("another", 0, 0, 1, 1), split="test")
    archive = exported("yolo")
    assert archive.read("labels/train/p1.txt") == b"1 0.25 0.4 0.3 0.4\n"
    assert archive.read("labels/valid/p2.txt") == b""
    assert archive.read("classes.txt") == b"another\ndefect\n"
    found = read_yolo(archive)
    assert found["images/train/p1.jpg"] == ("train", [pytest.approx(WORKED)])
    assert found["images/valid/p2.jpg"] == ("val", [])
    assert found["images/test/p3.jpg"] == ("test", [("another", 0, 0, 1, 1)])
    assert set(sizes_of(archive)) == set(found)


def test_yolo_without_splits_trains_and_validates_on_everything(add, exported):
    add(1, WORKED)
    assert set(read_yolo(exported("yolo"))) == {"images/unassigned/p1.jpg"}


def test_voc_has_whole_pixels_and_lists_of_the_splits(add, exported):
    add(1, WORKED, split="train")
    add(2, ("speck", 0.5, 0.5, 0.0001, 0.0001), ("edge", 0.9999, 0.9999, 0.0001, 0.0001), split="valid")
    add(3)
    found = read_voc(exported("voc"))
    assert found["JPEGImages/p1.jpg"] == ({"train"}, (640, 480), [("defect", 64, 96, 192, 192)])
    assert found["JPEGImages/p2.jpg"][2] == [("speck", 320, 240, 1, 1), ("edge", 639, 479, 1, 1)]
    assert found["JPEGImages/p3.jpg"] == (set(), (640, 480), [])


def test_the_csv_has_a_row_per_box_and_one_for_a_picture_without(add, exported):
    add(1, WORKED, label="NOK", split="train")
    add(2, label="OK")
    assert read_automl(exported("csv")) == [
        ["TRAIN", "images/p1.jpg", "defect", "0.1", "0.2", "", "", "0.4", "0.6", "", ""],
        ["UNASSIGNED", "images/p2.jpg", "OK", *[""] * 8],
    ]


def test_label_studio_counts_in_percent(add, exported):
    add(1, WORKED, label="NOK")
    [task] = json.loads(exported("label_studio").read("tasks.json"))
    box, choice = task["annotations"][0]["result"]
    assert (box["original_width"], box["original_height"], box["type"]) == (640, 480, "rectanglelabels")
    assert box["value"] == {
        "x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["defect"],
    }  # fmt: skip
    assert choice["value"] == {"choices": ["NOK"]} and task["data"]["image"] == "images/p1.jpg"


def test_cvat_has_corners_in_pixels(add, exported):
    add(1, WORKED, label="NOK", split="valid")
    image, boxes = read_cvat(exported("cvat"))["images/p1.jpg"]
    assert boxes == [("defect", 64, 96, 192, 192)]
    assert image.get("subset") == "valid" and image.find("tag").get("label") == "NOK"
    assert (image.get("width"), image.get("height")) == ("640", "480")


@pytest.mark.parametrize("format", ["coco", "yolo", "voc", "csv", "label_studio", "cvat"])
def test_pictures_come_along_as_they_are_or_not_at_all(add, exported, format):
    image = add(1, WORKED, name="part 7.jpg", label="NOK", split="test", review="accepted")
    [index] = read_index(archive := exported(format))
    assert archive.read(index["file"]) == picture_bytes(image)
    assert index == {
        "file": index["file"], "key": image.key, "name": "part 7.jpg", "label": "NOK", "split": "test",
        "review": "accepted", "taken_at": index["taken_at"], "monitor": "cam-1",
        "session": image.session.key, "sha256": image.sha256,
    }  # fmt: skip
    without = exported(format, pictures="false")
    assert set(without.namelist()) == set(archive.namelist()) - {index["file"]}
    assert read_index(without) == [index]


def picture_bytes(image) -> bytes:
    from sessionsite.common.files import media_file

    return media_file(image.file_path).read_bytes()


@pytest.mark.parametrize("format", ["coco", "yolo", "voc", "csv", "label_studio", "cvat"])
def test_an_empty_dataset_is_a_whole_archive(dataset, exported, format):
    assert read_index(exported(format)) == []


def test_the_filters_choose_the_pictures_but_not_the_classes(add, exported):
    add(1, ("a", 0, 0, 0.5, 0.5), label="OK", review="accepted", split="train")
    add(2, ("b", 0, 0, 0.5, 0.5), label="NOK", split="test")
    third = add(3, ("c", 0, 0, 0.5, 0.5))
    delete_image(add(4), by="ann")

    def files(**query) -> list[str]:
        archive = exported("yolo", pictures="false", **query)
        assert archive.read("classes.txt") == b"a\nb\nc\n"
        return [row["name"] for row in read_index(archive)]

    assert files() == ["p1.jpg", "p2.jpg", "p3.jpg"]
    assert files(label="NOK") == ["p2.jpg"]
    assert files(tag="c") == ["p3.jpg"]
    assert files(review="accepted,doubtful") == ["p1.jpg"]
    assert files(split="train,test") == ["p1.jpg", "p2.jpg"]
    assert files(monitor="cam-1") == ["p1.jpg", "p2.jpg", "p3.jpg"] and files(monitor="cam-2") == []
    assert files(after=third.received_at.isoformat()) == ["p3.jpg"]
    assert files(before=third.received_at.isoformat()) == ["p1.jpg", "p2.jpg"]
    assert files(of=f"sessions/{third.session.key}", label="OK") == ["p1.jpg"]


def test_pictures_in_no_split_are_shared_out_by_their_keys(add, dataset, exported):
    for number in range(1, 41):
        add(number, size=(16, 12))
    chosen = add(41, split="valid", size=(16, 12))

    def splits(**query) -> dict[str, str]:
        return {row["key"]: row["split"] for row in read_index(exported("coco", pictures="false", **query))}

    assert set(splits().values()) == {"", "valid"}
    change_dataset(dataset, by="ann", valid_percent=20, test_percent=20)
    before = splits()
    assert set(before.values()) == {"train", "valid", "test"} and before[chosen.key] == "valid"
    dataset.refresh_from_db()
    for image in dataset.images.exclude(pk=chosen.pk):
        assert before[image.key] == dataset.shares.split_of(image.key)
        assert splits(split=before[image.key])[image.key] == before[image.key]
    change_dataset(dataset, by="ann", valid_percent=0, test_percent=60)
    after = splits()
    assert all(after[key] == "test" for key, split in before.items() if split == "test")
    change_dataset(dataset, by="ann", valid_percent=0, test_percent=100)
    assert set(splits().values()) == {"test", "valid"}
    assert set(splits(split="test").values()) == {"test"}


def test_a_picture_on_its_side_has_the_size_that_is_displayed(add, exported, tmp_path):
    stream = io.BytesIO()
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.new("RGB", (80, 40), (9, 99, 9)).save(stream, "JPEG", exif=exif)
    add(1, ("top", 0, 0, 1, 0.25), data=stream.getvalue())
    archive = exported("coco")
    coco = coco_of(archive, tmp_path)
    [image] = coco.loadImgs(coco.getImgIds())
    assert (image["width"], image["height"]) == (40, 80)
    assert coco.loadAnns(coco.getAnnIds())[0]["bbox"] == [0, 0, 40, 20]
    with Pillow.open(io.BytesIO(archive.read(image["file_name"]))) as stored:
        assert stored.size == (80, 40) and stored.getexif()[0x0112] == 6


def test_names_in_the_archive_are_safe_and_unique(add, exported):
    names = ["a.jpg", "A.png", "../../etc/passwd", "a/b/c.jpg", "=cmd.jpg", "über, „x“.jpg"]
    for number, name in enumerate(names):
        add(number, name=name)
    rows = read_index(archive := exported("yolo"))
    files = [row["file"].removeprefix("images/unassigned/") for row in rows]
    assert files[0] == "a.jpg" and files[1] == f"{rows[1]['key']} A.jpg"
    assert files[2:] == ["passwd.jpg", "c.jpg", "=cmd.jpg", "über, „x“.jpg"]
    names = archive.namelist()
    assert len({name.casefold() for name in names}) == len(names)
    assert not any(name.startswith("/") or ".." in name or "\\" in name for name in names)
    assert rows[4]["name"] == "'=cmd.jpg"


def test_a_picture_whose_file_is_gone_is_named(add, exported):
    from sessionsite.common.files import media_file

    gone = add(1, WORKED)
    add(2)
    media_file(gone.file_path).unlink()
    archive = exported("coco")
    assert archive.read("missing.txt").decode() == f"{gone.key} images/p1.jpg\n"
    assert "images/p2.jpg" in archive.namelist()


def test_what_cannot_be_asked_is_refused(dataset, client_of):
    coco = {"format": "coco"}
    for query in ({}, {"format": "tfrecord"}, coco | {"split": "half"}, coco | {"x": "1"}):
        answer = client_of.get("/api/v1/datasets/ds-1/export/", query)
        assert answer.status_code == 400 and answer.json()["code"] == "invalid", query
