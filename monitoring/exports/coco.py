"""COCO: one JSON of images, annotations and categories; boxes [x, y, w, h] in pixels from the top left.

Format: cocodataset.org, "object detection". What it has no place for stands beside its own fields: `label`,
`split`, `review` and `key` of an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import orjson

from monitoring.exports.parts import Part, Picture, Row, Sheet, numbers, spool, unspooled

PATH = "annotations.json"
FOLDER = "images"


def write(rows: Iterable[Row], labels: Sequence[str], *, title: str, aside: bool) -> Iterator[Part]:
    """`annotations.json`; annotations wait on disk until the images have passed, so rows are read once."""
    classes = numbers(labels, first=1)
    sheet, annotations, number, box_number = Sheet(PATH, aside=aside), spool(), 0, 0
    with annotations:
        yield from sheet.add(_head(title, classes))
        for number, row in enumerate(rows, 1):
            yield Picture(f"{FOLDER}/{row.file}", row)
            yield from sheet.add(_joined(_image(row, number), number))
            for box in row.boxes:
                box_number += 1
                annotations.write(_joined(_annotation(box, row, number, box_number, classes), box_number))
        yield from sheet.add(b'],"annotations":[')
        for piece in unspooled(annotations):
            yield from sheet.add(piece)
        yield from sheet.end(b"]}\n")


def _head(title: str, classes: dict[str, int]) -> bytes:
    categories = [{"id": number, "name": label, "supercategory": ""} for label, number in classes.items()]
    head = {"info": {"description": title}, "licenses": [], "categories": categories}
    return orjson.dumps(head)[:-1] + b',"images":['


def _joined(item: dict, number: int) -> bytes:
    return (b",\n" if number > 1 else b"\n") + orjson.dumps(item)


def _image(row: Row, number: int) -> dict:
    return {
        "id": number,
        "file_name": f"{FOLDER}/{row.file}",
        "width": row.width,
        "height": row.height,
        "date_captured": row.taken_at.isoformat(),
        "key": row.key,
        "label": row.label,
        "split": row.split,
        "review": row.review,
    }


def _annotation(box, row: Row, image_number: int, number: int, classes: dict[str, int]) -> dict:
    x, y, w, h = box.x * row.width, box.y * row.height, box.w * row.width, box.h * row.height
    return {
        "id": number,
        "image_id": image_number,
        "category_id": classes[box.label],
        "bbox": [round(x, 6), round(y, 6), w if w < 1e-3 else round(w, 6), h if h < 1e-3 else round(h, 6)],
        "area": round(w * h, 6),
        "iscrowd": 0,
    }
