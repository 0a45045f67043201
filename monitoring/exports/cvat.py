"""CVAT for images 1.1: one XML, an image element per picture, boxes as xtl, ytl, xbr, ybr in pixels.

Format: CVAT, "XML annotation format". A picture's own label is a `tag`, its split the `subset`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitoring.exports.parts import Box, Part, Picture, Row, Sheet
from monitoring.exports.xml import text

PATH = "annotations.xml"


def write(rows: Iterable[Row], labels: Sequence[str], *, title: str, aside: bool) -> Iterator[Part]:
    """`annotations.xml`."""
    sheet = Sheet(PATH, aside=aside)
    names = "".join(f"<label><name>{text(label)}</name><attributes/></label>\n" for label in labels)
    yield from sheet.add(
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
        f"<meta><task><name>{text(title)}</name><mode>annotation</mode><labels>\n{names}</labels></task></meta>\n".encode()
    )
    for number, row in enumerate(rows):
        path = f"images/{row.file}"
        yield Picture(path, row)
        yield from sheet.add(_image(row, number, path).encode())
    yield from sheet.end(b"</annotations>\n")


def _image(row: Row, number: int, path: str) -> str:
    subset = f' subset="{row.split}"' if row.split else ""
    tag = f'<tag label="{text(row.label)}" source="manual"/>\n' if row.label else ""
    boxes = "".join(_box(box, row) for box in row.boxes)
    return (
        f'<image id="{number}" name="{text(path)}"{subset} width="{row.width}" height="{row.height}">\n'
        f"{boxes}{tag}</image>\n"
    )


def _box(box: Box, row: Row) -> str:
    names = ("xtl", "ytl", "xbr", "ybr")
    place = " ".join(f'{name}="{value:.6f}"' for name, value in zip(names, box.corners_px(row), strict=True))
    return f'<box label="{text(box.label)}" source="manual" occluded="0" {place} z_order="0"/>\n'
