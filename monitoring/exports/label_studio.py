"""Label Studio JSON: a task per picture; boxes in percent, the picture's own label as a choice.

Format: labelstud.io, "JSON format of exported data". `labels.xml` is the labelling interface that shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import orjson

from monitoring.exports.parts import Box, File, Part, Picture, Row, Sheet
from monitoring.exports.xml import text

PATH = "tasks.json"


def write(rows: Iterable[Row], labels: Sequence[str], *, title: str, aside: bool) -> Iterator[Part]:
    """`tasks.json` and `labels.xml`."""
    sheet, picture_labels = Sheet(PATH, aside=aside), set()
    yield from sheet.add(b"[")
    for number, row in enumerate(rows, 1):
        path = f"images/{row.file}"
        yield Picture(path, row)
        picture_labels.add(row.label)
        yield from sheet.add((b",\n" if number > 1 else b"\n") + orjson.dumps(_task(row, number, path)))
    yield from sheet.end(b"]\n")
    yield File("labels.xml")
    yield _interface(labels, sorted(picture_labels - {""})).encode()


def _task(row: Row, number: int, path: str) -> dict:
    result = [_box(box, row, index) for index, box in enumerate(row.boxes, 1)]
    if row.label:
        choice = {"from_name": "picture", "to_name": "image", "type": "choices"}
        result.append({"id": f"{row.key}-label", **choice, "value": {"choices": [row.label]}})
    meta = {"key": row.key, "name": row.name, "split": row.split, "review": row.review}
    annotations = [{"id": number, "was_cancelled": False, "ground_truth": False, "result": result}]
    return {"id": number, "data": {"image": path}, "meta": meta, "annotations": annotations}


def _box(box: Box, row: Row, index: int) -> dict:
    place = {"x": box.x * 100, "y": box.y * 100, "width": box.w * 100, "height": box.h * 100}
    return {
        "id": f"{row.key}-{index}",
        "from_name": "box",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": row.width,
        "original_height": row.height,
        "image_rotation": 0,
        "value": {
            **{name: round(value, 9) for name, value in place.items()},
            "rotation": 0,
            "rectanglelabels": [box.label],
        },
    }


def _interface(labels: Sequence[str], picture_labels: Sequence[str]) -> str:
    boxes = "".join(f'<Label value="{text(label)}"/>' for label in labels)
    choices = "".join(f'<Choice value="{text(label)}"/>' for label in picture_labels)
    choices = f'<Choices name="picture" toName="image">{choices}</Choices>' if choices else ""
    return (
        f'<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image">{boxes}'
        f"</RectangleLabels>{choices}</View>\n"
    )
