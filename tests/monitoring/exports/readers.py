"""Readers of the formats, written from their published descriptions and knowing nothing of our writers.

Each gives file -> (width, height, [(label, x, y, w, h)]) with boxes in pixels from the top left corner.
"""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import PurePosixPath
from xml.etree import ElementTree

import yaml
from PIL import Image

Boxes = list[tuple[str, float, float, float, float]]


def sizes_of(archive: zipfile.ZipFile) -> dict[str, tuple[int, int]]:
    """Size of each picture as stored in the archive."""
    found = {}
    for name in archive.namelist():
        if name.lower().endswith((".jpg", ".jpeg", ".png", ".webp")):
            found[name] = Image.open(io.BytesIO(archive.read(name))).size
    return found


def read_yolo(archive: zipfile.ZipFile) -> dict[str, tuple[str, Boxes]]:
    """As a trainer does: data.yaml names the folders of pictures; labels lie in the twin folder `labels`.

    Gives picture -> (split, boxes) with boxes as fractions of the picture.
    """
    about = yaml.safe_load(archive.read("data.yaml"))
    names = about["names"]
    assert about["nc"] == len(names)
    found = {}
    for split in ("train", "val", "test"):
        folder = about.get(split)
        if folder is None:
            continue
        for path in archive.namelist():
            if not path.startswith(f"{folder}/"):
                continue
            label_file = path.replace("images/", "labels/", 1).rsplit(".", 1)[0] + ".txt"
            found.setdefault(path, (split, _yolo_boxes(archive.read(label_file).decode(), names)))
    return found


def _yolo_boxes(text: str, names) -> Boxes:
    boxes = []
    for line in text.splitlines():
        number, *place = line.split(" ")
        cx, cy, w, h = map(float, place)
        boxes.append((names[int(number)], cx - w / 2, cy - h / 2, w, h))
    return boxes


def read_voc(archive: zipfile.ZipFile) -> dict[str, tuple[set[str], tuple[int, int], Boxes]]:
    """Per picture: the sets that list it, its size, and boxes in pixels."""
    listed: dict[str, set[str]] = {}
    for word in ("train", "val", "test"):
        for line in archive.read(f"ImageSets/Main/{word}.txt").decode().splitlines():
            listed.setdefault(line, set()).add(word)
    found = {}
    for path in archive.namelist():
        if not path.startswith("Annotations/"):
            continue
        root = ElementTree.fromstring(archive.read(path))
        assert root.tag == "annotation" and root.findtext("folder") == "JPEGImages"
        size = int(root.findtext("size/width")), int(root.findtext("size/height"))
        boxes = []
        for item in root.findall("object"):
            left, top, right, bottom = (
                int(item.findtext(f"bndbox/{name}")) for name in ("xmin", "ymin", "xmax", "ymax")
            )
            assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
            boxes.append((item.findtext("name"), left, top, right - left, bottom - top))
        stem = PurePosixPath(path).stem
        assert PurePosixPath(root.findtext("filename")).stem == stem
        found[f"JPEGImages/{root.findtext('filename')}"] = (listed.get(stem, set()), size, boxes)
    return found


def read_automl(archive: zipfile.ZipFile) -> list[list[str]]:
    return list(csv.reader(io.StringIO(archive.read("automl.csv").decode(), newline="")))


def read_index(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read("pictures.csv").decode(), newline="")))


def read_cvat(archive: zipfile.ZipFile) -> dict[str, tuple[ElementTree.Element, Boxes]]:
    root = ElementTree.fromstring(archive.read("annotations.xml"))
    assert root.findtext("version") == "1.1"
    found = {}
    for image in root.findall("image"):
        boxes = []
        for box in image.findall("box"):
            left, top, right, bottom = (float(box.get(name)) for name in ("xtl", "ytl", "xbr", "ybr"))
            boxes.append((box.get("label"), left, top, right - left, bottom - top))
        found[image.get("name")] = (image, boxes)
    return found
