"""The AutoML CSV and the zip of a dataset."""

import csv
import io
import tracemalloc
import zipfile
from urllib.parse import urlsplit

import pytest

from monitoring.api.rosepetal.automl import Plan
from monitoring.models import Image
from monitoring.services import change_image, delete_image
from sessionsite.common.files import media_file

from .conftest import image_body, picture

BASE = "/dataset/dataset-abc123"
DENIED = "Dataset not found or access denied"


@pytest.fixture
def add(running, dataset, wire):
    """add(3, tag="dent") -> the picture of shade 3 in the dataset."""

    def post(shade: int, **about) -> Image:
        answer = wire.post(
            f"/monitor/{running.slug}/image", image_body(picture(shade), **{"dataset": dataset.key, **about})
        )
        return Image.objects.get(key=answer.json()["data"]["id"])

    return post


def box(wire, image, *tags) -> None:
    boxes = [dict(zip(("tag", "x", "y", "w", "h"), tag, strict=True)) for tag in tags]
    body = {"dataset": image.dataset.key, "imageID": image.key, "tags": boxes}
    assert wire.post("/monitor/updateTags", body).status_code == 200


def rows_of(wire, query: str = "") -> list[list[str]]:
    address = wire.get(f"{BASE}/csv{query}").json()["result"]["training"]["dataset"]
    parts = urlsplit(address)
    answer = wire.get(f"{parts.path}?{parts.query}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.getvalue().decode())))


def test_one_row_per_box_and_a_bare_one_without(add, wire):
    boxed, labelled, bare = add(1), add(2, tag="OK"), add(3)
    box(wire, boxed, ("dent", 0.1, 0.2, 0.3, 0.4), ("scratch", 0.5, 0.5, 0.5, 0.5))
    rows = rows_of(wire, "?test=0&validation=0")
    address = "http://testserver/api/v1/images/{}/file/"
    assert rows == [
        ["TRAIN", address.format(boxed.key), "dent", "0.1", "0.2", "", "", "0.4", "0.6", "", ""],
        ["TRAIN", address.format(boxed.key), "scratch", "0.5", "0.5", "", "", "1", "1", "", ""],
        ["TRAIN", address.format(labelled.key), "OK", *[""] * 8],
        ["TRAIN", address.format(bare.key), *[""] * 9],
    ]


def test_a_dataset_of_boxes_has_no_label_without_a_box(add, dataset, wire):
    add(1, tag="OK")
    dataset.type = "imageObjectDetection"
    dataset.save()
    assert rows_of(wire)[0][2:] == [""] * 9


def test_a_label_with_a_comma_stays_one_field(add, wire):
    add(1, tag='dent, "deep"')
    assert rows_of(wire)[0][2] == 'dent, "deep"'


def test_tagmap_renames_and_leaves_out(add, wire):
    image = add(1, tag="OK")
    box(wire, image, ("dent", 0, 0, 1, 1), ("dust", 0, 0, 1, 1))
    rows = rows_of(wire, '?tagmap={"dent":"defect","dust":null}')
    assert [row[2] for row in rows] == ["defect"]


def test_deleted_and_foreign_pictures_are_not_in_it(add, wire):
    gone, other = add(1), add(2, dataset="another")
    delete_image(gone, by="test")
    assert rows_of(wire) == []
    assert other.dataset.key == "another"


def test_the_split_is_the_same_every_time_and_near_the_percentages():
    images = [Image(key=f"im_{number}") for number in range(4000)]
    plan = Plan(test=20, validation=10)
    sets = [plan.set_of(image) for image in images]
    assert sets == [plan.set_of(image) for image in images]
    assert 700 < sets.count("TEST") < 900
    assert 300 < sets.count("VALIDATION") < 500


def test_a_growing_share_keeps_what_it_had():
    images = [Image(key=f"im_{number}") for number in range(1000)]
    small, large = Plan(test=10, validation=10), Plan(test=20, validation=30)
    for word in ("TEST", "VALIDATION"):
        kept = {image.key for image in images if small.set_of(image) == word}
        assert kept and kept <= {image.key for image in images if large.set_of(image) == word}


def test_a_split_that_a_person_chose_wins(add, wire):
    change_image(add(1), split="valid", by="test")
    assert rows_of(wire, "?test=100&validation=0")[0][0] == "VALIDATION"


@pytest.mark.parametrize(
    "query",
    ["test=101", "test=-1", "test=x", "test=nan", "test=60&validation=50", "tagmap=x", "tagmap=[]",
     'tagmap={"a":1}', "tagmap=" + "[" * 2000],
)  # fmt: skip
@pytest.mark.parametrize("page", ["csv", "model-config/dataset-abc123.csv"])
def test_a_query_that_makes_no_sense_is_refused(query, page, dataset, wire):
    answer = wire.get(f"{BASE}/{page}?{query}")
    assert answer.status_code == 400
    assert answer.json()["result"] == {"error": True}


def test_the_csv_takes_two_queries_per_some_hundred_pictures(add, wire, django_assert_max_num_queries):
    for shade in range(6):
        add(shade)
    with django_assert_max_num_queries(5):
        assert len(rows_of_file(wire)) == 6


def rows_of_file(wire) -> list[str]:
    return wire.get(f"{BASE}/model-config/dataset-abc123.csv").getvalue().decode().splitlines()


def zip_of(wire, *keys: str):
    answer = wire.post(f"{BASE}/downloadZip", {"images": list(keys), "userId": "user-1"})
    return answer, zipfile.ZipFile(io.BytesIO(answer.getvalue()))


def test_the_zip_has_a_folder_per_label_and_one_for_the_rest(add, wire):
    labelled, bare, twin = add(1, tag="dent", name="a.jpg"), add(2), add(3, tag="dent", name="A.jpg")
    answer, archive = zip_of(wire, labelled.key, bare.key, twin.key)
    assert archive.namelist() == ["dent/a.jpg", f"Unclassified/{bare.key}.jpg", f"dent/{twin.key}_A.jpg"]
    assert archive.read("dent/a.jpg") == media_file(labelled.file_path).read_bytes()
    assert archive.testzip() is None
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"].startswith('attachment; filename="dataset_20')


@pytest.mark.parametrize("label", ["../../etc", "a/b", "a\\b", "..", "con:x"])
def test_no_label_leads_out_of_the_zip(label, add, wire):
    _, archive = zip_of(wire, add(1, tag=label, name="../../x.jpg").key)
    [name] = archive.namelist()
    assert name.count("/") == 1 and ".." not in name.split("/") and "\\" not in name and ":" not in name


def test_only_pictures_of_the_dataset_are_packed_and_the_rest_counted(add, wire):
    mine, other, gone = add(1), add(2, dataset="another"), add(3)
    delete_image(gone, by="test")
    answer, archive = zip_of(wire, mine.key, other.key, gone.key, "unknown", mine.key)
    assert (len(archive.namelist()), answer["X-Images-Missing"]) == (1, "3")


def test_a_picture_whose_file_is_gone_is_named(add, wire):
    mine, lost = add(1), add(2, name="lost.jpg")
    media_file(lost.file_path).unlink()
    _, archive = zip_of(wire, mine.key, lost.key)
    assert archive.read("missing.txt").decode() == f"{lost.key} lost.jpg\n"


def test_a_large_zip_is_never_in_memory_as_a_whole(add, wire):
    images = [add(shade) for shade in range(6)]
    for image in images:
        media_file(image.file_path).write_bytes(bytes(4_000_000))
    answer = wire.post(f"{BASE}/downloadZip", {"images": [image.key for image in images]})
    tracemalloc.start()
    sizes = [len(piece) for piece in answer.streaming_content]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) > 24_000_000
    assert max(sizes) < 300_000 and peak < 3_000_000


@pytest.mark.parametrize("images", [None, "x", {}, [1], [None], ["a\x00b"], ["x"] * 20_001])
def test_a_list_that_is_none_is_refused(images, dataset, wire):
    answer = wire.post(f"{BASE}/downloadZip", {"images": images})
    assert (answer.status_code, answer.json()["error"]) == (400, True)


def test_none_of_these_images_is_not_found(dataset, wire):
    answer = wire.post(f"{BASE}/downloadZip/", {"images": ["unknown"]})
    assert (answer.status_code, answer.json()) == (404, {"error": True, "status": DENIED})


def test_an_empty_list_gives_an_empty_zip(dataset, wire):
    _, archive = zip_of(wire)
    assert archive.namelist() == []


@pytest.mark.parametrize("path", ["csv", "csv/", "model-config/dataset-abc123.csv", "downloadZip"])
def test_datasets_are_shown_to_their_organisation_alone(path, dataset, wire, foreign_wire):
    method = "POST" if path == "downloadZip" else "GET"
    body = {"images": []} if method == "POST" else None
    assert wire.send(method, f"{BASE}/{path}", body).status_code == 200
    foreign = foreign_wire.send(method, f"{BASE}/{path}", body)
    unknown = wire.send(method, f"/dataset/unknown/{path.replace('dataset-abc123', 'unknown')}", body)
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
    assert foreign.json()["status"] == DENIED
    wire.token = None
    assert wire.send(method, f"{BASE}/{path}", body).status_code == 401
