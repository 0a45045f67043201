"""The dry run says of every file what would happen to it; archives made to do harm are refused."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile

import pytest

from monitoring.imports import uploads
from monitoring.jobs import runner, verbs
from monitoring.models import Image, Job, Tag, TagChange
from monitoring.services import add_tag, delete_image
from tests.monitoring.imports.conftest import zip_of
from tests.pictures import picture

pytestmark = pytest.mark.django_db


def coco(*images: dict, annotations=(), categories=({"id": 1, "name": "dent"},)) -> str:
    return json.dumps({"images": images, "annotations": list(annotations), "categories": list(categories)})


def image(number: int, name: str, **more) -> dict:
    return {"id": number, "file_name": name, "width": 100, "height": 50, **more}


def box(image_id: int, *bbox, category: int = 1) -> dict:
    return {"id": 1, "image_id": image_id, "category_id": category, "bbox": list(bbox)}


def test_every_file_has_its_line(importing, add, dataset):
    known = add(1, ("dent", 0.1, 0.2, 0.3, 0.4), name="known.jpg", label="OK", split="train")
    gone = add(2, name="gone.jpg")
    delete_image(gone, by="ann")
    files = {
        "images/known.jpg": picture(1, size=(640, 480)),
        "images/gone.jpg": picture(2, size=(640, 480)),
        "images/new.jpg": picture(3),
        "images/cut.jpg": picture(4)[:300],
        "../evil.jpg": picture(5),
        "a.json": coco(
            image(1, "images/known.jpg", label="NOK", split="test"),
            image(2, "new.jpg"),
            image(3, "absent.jpg"),
            annotations=[
                box(1, 10, 10, 30, 20),
                box(1, 50, 10, 30, 20),
                box(2, 0, 0, 100, 50),
                box(2, 0, 0, 300, 50),
                box(2, 5, 5, 0, 5),
                box(2, 5, 5, 5, 5, category=7),
                {"id": 9, "image_id": 2, "category_id": 1},
            ],
        ),
    }
    import_ = importing("ds-1")
    plan = import_.send("coco", zip_of(files))["result"]["plan"]
    lines = {line["file"]: line for line in import_.report()}
    outcomes = {file: (line["outcome"], line["reason"]) for file, line in lines.items()}
    stays = "label stays OK, the archive says NOK; split stays train, the archive says test"
    assert outcomes == {
        "images/known.jpg": ("matched", stays),
        "images/gone.jpg": ("skipped", "deleted in this dataset; restore it first"),
        "images/new.jpg": ("new", "an annotation without a box"),
        "images/cut.jpg": ("skipped", "the picture is cut off or damaged"),
        "../evil.jpg": ("skipped", "its path leads out of the archive"),
        "absent.jpg": ("skipped", "not in the dataset, and no file in the archive"),
    }  # fmt: skip
    counts = lambda line: (line["boxes_added"], line["boxes_unchanged"], line["boxes_refused"])  # noqa: E731
    assert counts(lines["images/known.jpg"]) == (1, 1, 0)
    assert counts(lines["images/new.jpg"]) == (1, 0, 4)
    assert (plan["new"], plan["matched"], plan["skipped"]) == (1, 1, 4)
    assert {line["file"] for line in import_.report(outcome="new")} == {"images/new.jpg"}
    assert import_.apply()["result"]["written"] == {"images": 1, "boxes": 2, "skipped": 0}
    known.refresh_from_db()
    assert (known.label, known.split, known.tags.count()) == ("OK", "train", 2)
    assert set(known.tags.values_list("source", flat=True)) == {"operator", "import"}


def test_a_name_that_two_pictures_have_is_not_guessed(importing, add):
    add(1, name="same.jpg"), add(2, name="same.jpg")
    import_ = importing("ds-1")
    import_.send("coco", zip_of({"a.json": coco(image(1, "same.jpg"))}))
    assert [line["outcome"] for line in import_.report()] == ["skipped"]


def test_what_people_changed_after_the_dry_run_stands(importing, add):
    first = add(1, name="a.jpg")
    import_ = importing("ds-1")
    import_.send("coco", zip_of({"a.json": coco(image(1, "a.jpg"), annotations=[box(1, 10, 10, 30, 20)])}))
    add_tag(first, label="dent", x=0.1, y=0.2, w=0.3, h=0.4, by="ann")
    assert import_.apply()["result"]["written"] == {"images": 0, "boxes": 0, "skipped": 0}
    assert Tag.objects.count() == 1


def test_an_import_that_was_killed_half_way_is_finished_without_doubles(importing, target):
    files = {f"{number}.jpg": picture(number) for number in range(45)}
    files["a.json"] = coco(
        *(image(number, f"{number}.jpg") for number in range(45)),
        annotations=[box(number, 10, 10, 30, 20) for number in range(45)],
    )
    import_ = importing()
    import_.send("coco", zip_of(files))
    import_.client.post(f"{import_.url}apply/")
    looks = []
    assert runner.run_next(lambda: looks.append(1) or len(looks) > 30)
    assert 0 < Image.objects.filter(dataset=target).count() < 45
    assert runner.run_next()
    assert import_.job()["state"] == "done"
    assert Image.objects.filter(dataset=target).count() == Tag.objects.count() == 45


def test_oddities_are_counted_and_break_nothing(importing, target):
    odd = '{"id": 1, "file_name": "p\\ud800\\u0000.jpg", "width": 1e999, "height": [1]}'
    boxes = [
        {"image_id": 1, "category_id": [1], "bbox": [1, 2, 3, 4]},
        {"image_id": 1, "category_id": 1, "bbox": [10**400, 2, 3, 4]},
        {"image_id": 1, "category_id": 1, "bbox": [float("nan")] * 4},
        {"image_id": [], "bbox": 1},
        7,
    ]
    rest = '"categories": [{"id": {}, "name": 5}, 3], "x": {"y": [1]}'
    text = f'{{"images": [{odd}, null], "annotations": {json.dumps(boxes)}, {rest}}}'
    import_ = importing()
    assert import_.send("coco", zip_of({"a.json": text}))["state"] == "ready"
    assert [line["boxes_refused"] for line in import_.report()] == [3]


@pytest.mark.parametrize(
    ("files", "format"),
    [
        ({"a.txt": "x"}, "coco"),
        ({"a.json": "{"}, "coco"),
        ({"a.json": '{"images": [{"id": 1}]}'}, "coco"),
        ({"a.json": "[" * 100_000}, "coco"),
        ({"labels/a.txt": "0 .5 .5 1 1"}, "yolo"),
        ({"data.yaml": "names: 3"}, "yolo"),
        ({"data.yaml": "["}, "yolo"),
        ({"a.xml": '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'}, "voc"),
        ({"a.txt": "x"}, "voc"),
        ({"a.txt": "x"}, "csv"),
    ],
)
def test_annotations_that_cannot_be_read_fail_with_words(importing, files, format):
    failed = importing().send(format, zip_of(files))
    assert failed["state"] == "failed" and failed["message"] and failed["message"] != runner.INTERNAL_ERROR


def test_names_that_are_lists_within_lists_are_refused_before_they_grow(importing):
    rows = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 5))]
    failed = importing().send("yolo", zip_of({"data.yaml": "\n".join([*rows, "names: *a4"])}))
    assert (failed["state"], failed["message"]) == ("failed", "data.yaml is not as expected.")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_picture_that_is_twice_in_the_archive_is_taken_once_and_the_report_says_so(importing, target):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.jpg", picture(1))
        archive.writestr("a.jpg", picture(2))
        archive.writestr("a.json", coco(image(1, "a.jpg"), annotations=[box(1, 10, 10, 30, 20)]))
    import_ = importing()
    assert import_.send("coco", stream.getvalue())["state"] == "ready", import_.job()
    [line] = import_.report()
    assert (line["file"], line["outcome"], line["reason"]) == ("a.jpg", "new", "twice in the archive")
    assert import_.apply()["result"]["written"] == {"images": 1, "boxes": 1, "skipped": 0}
    assert Image.objects.get(dataset=target).sha256 == hashlib.sha256(picture(1)).hexdigest()


XML = """<annotation><filename>0001.jpg</filename><size><width>100</width><height>50</height></size>
<object><name>dent</name><bndbox><xmin>10</xmin><ymin>10</ymin><xmax>40</xmax><ymax>30</ymax></bndbox></object>
</annotation>"""
# Each tells of the box of a picture of the other split, which is not in the archive.
OF_ANOTHER_SPLIT = {
    "coco: its path": (
        "coco",
        {"a.json": coco(image(1, "val/0001.jpg"), annotations=[box(1, 10, 10, 30, 20)])},
    ),
    "coco: its folder": (
        "coco",
        {"val/a.json": coco(image(1, "0001.jpg"), annotations=[box(1, 10, 10, 30, 20)])},
    ),
    "yolo": ("yolo", {"classes.txt": "dent", "val/labels/0001.txt": "0 .5 .5 .2 .2"}),
    "voc": ("voc", {"val/0001.xml": XML}),
    "csv": ("csv", {"a.csv": "VALIDATION,gs://b/val/0001.jpg,dent,.1,.1,,,.4,.4,,"}),
}


@pytest.mark.parametrize("case", OF_ANOTHER_SPLIT)
def test_boxes_never_land_on_the_namesake_in_another_split(importing, target, case):
    format, files = OF_ANOTHER_SPLIT[case]
    import_ = importing()
    import_.send(format, zip_of({"train/0001.jpg": picture(1), **files}))
    assert import_.apply()["result"]["written"] == {"images": 1, "boxes": 0, "skipped": 0}, import_.report()
    assert not Tag.objects.exists()


def test_rows_of_a_bucket_whose_name_two_files_have_are_one_line(importing):
    row = "TRAIN,gs://b/d/x/a.jpg,dent,.1,.1,,,.4,.4,,"
    files = {"x/a.jpg": picture(1), "y/a.jpg": picture(2), "a.csv": f"{row}\n{row}\n"}
    import_ = importing()
    assert import_.send("csv", zip_of(files))["state"] == "ready", import_.job()
    assert {line["file"]: line["outcome"] for line in import_.report()} == {
        "x/a.jpg": "new",
        "y/a.jpg": "new",
        "b/d/x/a.jpg": "skipped",
    }


def test_a_label_and_a_split_that_an_import_gives_say_so_in_the_history(importing, add):
    known = add(1, name="a.jpg")
    import_ = importing("ds-1")
    import_.send("coco", zip_of({"a.json": coco(image(1, "a.jpg", label="NOK", split="test"))}))
    import_.apply()
    [row] = TagChange.objects.filter(image=known, verb="picture")
    assert (row.source, row.after) == ("import", {"label": "NOK", "split": "test"})


def test_what_is_no_zip_fails_with_words(importing):
    whole = zip_of({"a.json": coco(), "b.jpg": picture()})
    for data in (b"x", whole[: len(whole) // 2], whole[:-3]):
        failed = importing().send("coco", data)
        assert failed["state"] == "failed" and "zip" in failed["message"]


def test_a_bomb_is_not_unpacked(importing, monkeypatch):
    monkeypatch.setattr(uploads, "RATIO_FROM_BYTES", 1024 * 1024)
    bomb = zip_of({"a.json": b'{"images": [' + b" " * 8 * 1024 * 1024 + b"]}"})
    assert len(bomb) < 20_000
    assert "packed so tightly" in importing().send("coco", bomb)["message"]
    huge = zip_of({"classes.txt": b"a", "labels/a.txt": b"0 .5 .5 1 1\n" * 2_000_000})
    assert "too large" in importing().send("yolo", huge)["message"]


def test_too_many_files_are_counted_before_they_are_read(importing, monkeypatch):
    monkeypatch.setattr(uploads, "ENTRIES_MAX", 5)
    many = zip_of({f"{number}.txt": b"" for number in range(9)})
    assert "more than 5 files" in importing().send("coco", many)["message"]


def test_links_and_locked_files_are_skipped(importing):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("C:/x.jpg", picture())
        archive.writestr("/abs.jpg", picture())
        archive.writestr("a.json", coco())
    import_ = importing()
    import_.send("coco", stream.getvalue())
    assert {line["file"]: line["reason"] for line in import_.report()} == {
        "link.jpg": "a link or device, not a file",
        "C:/x.jpg": "its path leads out of the archive",
        "/abs.jpg": "its path leads out of the archive",
    }


def test_pieces_come_in_order_and_a_lost_answer_is_found_again(client_of, target, refused_with):
    data = zip_of({"a.json": coco()})
    body = {"format": "coco", "size_bytes": len(data)}
    job = client_of.post("/api/v1/datasets/copy/import/", body, format="json").json()
    url = f"/api/v1/jobs/{job['key']}/"

    def put(offset: int, piece: bytes):
        kind = {"content_type": "application/octet-stream"}
        return client_of.put(f"{url}upload/?offset={offset}", piece, **kind)

    assert put(0, data[:10]).json()["received_bytes"] == 10
    assert refused_with(put(0, data[:10]), 409, "upload_moved")["received_bytes"] == 10
    refused_with(put(11, data[11:]), 409, "upload_moved")
    refused_with(put(10, data[10:] + b"more"), 409, "upload_moved")
    refused_with(put(10, b""), 409, "upload_moved")
    refused_with(client_of.post(f"{url}apply/"), 409, "job_moved")
    refused_with(client_of.get(f"{url}report/"), 409, "not_ready")
    assert put(10, data[10:]).json()["state"] == "queued"
    refused_with(put(len(data), b"x"), 409, "job_moved")


@pytest.fixture
def refused_with():
    def check(answer, status: int, code: str) -> dict:
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
        return answer.json()["details"]

    return check


def test_an_archive_over_the_limit_is_not_even_begun(client_of, target, settings, refused_with):
    settings.IMPORT_MAX_BYTES = 1000
    body = {"format": "coco", "size_bytes": 1001}
    answer = client_of.post("/api/v1/datasets/copy/import/", body, format="json")
    assert refused_with(answer, 413, "upload_too_large") == {"limit_bytes": 1000}
    assert not Job.objects.exists()


def test_the_report_outlives_the_import_and_goes_with_the_job(importing):
    import_ = importing()
    import_.send("coco", zip_of({"a.json": coco(image(1, "a.jpg")), "a.jpg": picture(1)}))
    import_.apply()
    assert [line["outcome"] for line in import_.report()] == ["new"]
    verbs.remove(Job.objects.get(), by="ann")
    assert import_.client.get(f"{import_.url}report/").status_code == 404
