"""YOLO: a text per picture, `class cx cy w h` as fractions, from the middle of the box; empty: background.

Format: Ultralytics, "detection datasets". Classes are counted from 0 in the order of `classes.txt` and of the
names in `data.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitoring.exports.parts import Box, File, Part, Picture, Row, numbers, short

UNASSIGNED = "unassigned"  # the folder of pictures in no split


def write(rows: Iterable[Row], labels: Sequence[str], *, title: str, aside: bool) -> Iterator[Part]:
    """`labels/<split>/<stem>.txt` per picture, `classes.txt` and `data.yaml`."""
    classes, folders = numbers(labels, first=0), set()
    for row in rows:
        folder = row.split or UNASSIGNED
        folders.add(folder)
        yield Picture(f"images/{folder}/{row.file}", row)
        yield File(f"labels/{folder}/{row.stem}.txt")
        yield "".join(_line(box, classes) for box in row.boxes).encode()
    yield File("classes.txt")
    yield "".join(f"{label}\n" for label in labels).encode()
    yield File("data.yaml")
    yield _data_yaml(title, labels, folders).encode()


def _line(box: Box, classes: dict[str, int]) -> str:
    middle_x, middle_y = box.x + box.w / 2, box.y + box.h / 2
    place = " ".join(short(value) for value in (middle_x, middle_y, box.w, box.h))
    return f"{classes[box.label]} {place}\n"


def _data_yaml(title: str, labels: Sequence[str], folders: set[str]) -> str:
    """Trainers need `train` and `val`: without a split both are all the pictures there are."""
    train = "train" if "train" in folders else UNASSIGNED
    lines = [
        f"# {''.join(char for char in title if char.isprintable())}",
        "path: .",
        f"train: images/{train}",
        f"val: images/{'valid' if 'valid' in folders else train}",
        *(["test: images/test"] if "test" in folders else []),
        f"nc: {len(labels)}",
        "names:" if labels else "names: {}",
        *(f"  {number}: {_quoted(label)}" for number, label in enumerate(labels)),
    ]
    return "".join(f"{line}\n" for line in lines)


def _quoted(label: str) -> str:
    """As a double-quoted YAML text; what YAML calls unprintable is escaped."""
    text = label.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(char if _is_plain(char) else _escaped(char) for char in text)}"'


def _is_plain(char: str) -> bool:
    code = ord(char)
    return 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}"
