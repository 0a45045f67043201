"""The page of a dataset: shared out, exported, imported after a look, labels merged and given back."""

from __future__ import annotations

import io
import json
import re
import zipfile

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE
from tests.browser.steps import wait_until_live
from tests.pictures import picture


def archive() -> bytes:
    """Three pictures with boxes `dent` and `Dent`, and one that is no picture."""
    images = [{"id": n, "file_name": f"part {n}.jpg", "width": 640, "height": 480} for n in range(4)]
    boxes = [{"id": n, "image_id": n, "category_id": 1 + n % 2, "bbox": [64, 96, 192, 192]} for n in range(3)]
    categories = [{"id": 1, "name": "dent"}, {"id": 2, "name": "Dent"}]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for number in range(3):
            made.writestr(f"part {number}.jpg", picture(number, size=(640, 480)))
        made.writestr("part 3.jpg", b"no picture")
        made.writestr(
            "a.json", json.dumps({"images": images, "annotations": boxes, "categories": categories})
        )
    return stream.getvalue()


@pytest.fixture(scope="module")
def dataset(server) -> str:
    """The key of an empty dataset."""
    headers = {"Authorization": f"Bearer {server.token('datasets')}"}
    made = server.http.post("/api/v1/datasets/", json={"name": "Plates", "key": "plates"}, headers=headers)
    assert made.status_code == 201, made.text
    return "plates"


def bring_in(page) -> None:
    """The archive is imported, after a look at what it would do."""
    page.get_by_label("Archive (zip)").set_input_files(
        {"name": "plates.zip", "mimeType": "application/zip", "buffer": archive()}
    )
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="Look and import").click()
    sheet = page.get_by_role("dialog", name="What the import would do")
    expect(sheet).to_contain_text("3 new pictures, 0 known, 1 skipped; 3 boxes to add")
    expect(sheet.get_by_role("row", name=re.compile("part 3.jpg"))).to_contain_text("not a whole JPEG")
    sheet.get_by_role("button", name="skipped 1").click()
    expect(sheet.get_by_role("row")).to_have_count(2)
    sheet.get_by_role("button", name="Import").click()
    expect(page.locator(".job").first).to_contain_text("3 pictures and 3 boxes added")


def test_a_dataset_from_an_archive_to_an_export(people, dataset):
    page = people.open("/datasets/")
    page.locator(f'main a[href^="/datasets/{dataset}/"]').first.click()
    wait_until_live(page)
    expect(page.locator("#no-labels")).to_be_visible()
    bring_in(page)
    expect(page.locator("#splits")).to_contain_text("3 pictures")
    page.get_by_label("Validate, %").fill("0")
    page.get_by_label("Test, %").fill("100")
    expect(page.get_by_label("Train, %")).to_have_value("0")
    page.get_by_role("button", name="Share out").click()
    expect(page.locator("#splits")).to_contain_text("3 test")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    with zipfile.ZipFile(download.value.path()) as made:
        assert len(json.loads(made.read("annotations.json"))["images"]) == 3
    page.get_by_label("Format").first.select_option("yolo")
    page.get_by_role("button", name="In the background").click()
    done = page.locator(".job").first
    expect(done).to_contain_text("Plates as yolo")
    expect(done).to_contain_text("done · 3 pictures")
    expect(page.locator(".notice").filter(has_text="Plates as yolo is done")).to_be_visible()
    with page.expect_download() as download:
        done.get_by_role("link", name="Download").click()
    with zipfile.ZipFile(download.value.path()) as made:
        assert made.read("classes.txt") == b"Dent\ndent\n"
    page.goto("/exports/")
    expect(page.locator(".job").first).to_contain_text("Plates as yolo")


def test_labels_are_merged_after_a_look_and_given_back(people, dataset):
    page = people.open("/datasets/plates/")
    wait_until_live(page)
    if page.locator("#no-labels").is_visible():
        bring_in(page)
    page.get_by_label("Rename label").select_option("Dent")
    page.get_by_label("to", exact=True).fill("dent")
    page.get_by_role("button", name="Preview").click()
    sheet = page.get_by_role("dialog", name="Merge “Dent” into “dent”")
    expect(sheet).to_contain_text("1 box would change, on 1 picture.")
    sheet.get_by_role("button", name="Merge").click()
    merged = page.locator(".job").first
    expect(merged).to_contain_text("done · 1 labels on 1 pictures")
    labels = page.locator("#labels tbody tr")
    expect(labels).to_have_count(1)
    merged.get_by_role("button", name="Undo").click()
    expect(labels).to_have_count(2)


def test_a_form_without_a_file_or_a_name_says_so(people, dataset):
    page = people.open("/datasets/plates/", viewport=PHONE, has_touch=True)
    wait_until_live(page)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("Choose a zip archive")).to_be_visible()
    expect(page.get_by_label("Archive (zip)")).to_be_focused()
