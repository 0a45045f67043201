"""COCO, YOLO, Pascal VOC and AutoML CSV on their way in."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

from monitoring.exports.archive import INDEX
from monitoring.exports.cells import plain
from monitoring.imports.jsonstream import BadJson, items_of
from monitoring.imports.plan import Plan, folder_split, stem_of
from monitoring.imports.reading import (
    SLACK_FRAC,
    SLACK_PX,
    Note,
    split_in,
    table,
    take_box,
)
from monitoring.imports.uploads import ENTRIES_MAX, BadArchive, Upload

SETS = {"TRAIN": "train", "TRAINING": "train", "VALIDATION": "valid", "VALIDATE": "valid", "TEST": "test"}
NO_SET = {"UNASSIGNED", ""}
YAML_BYTES_MAX = 1024 * 1024
CATEGORIES_MAX, LABEL_CHARS_MAX = 100_000, 1000  # what is longer is no label that the verbs take


def read_coco(upload: Upload, plan: Plan, note: Note) -> None:
    """Every JSON that has images, one after the other; a split is what the file, or its folder, is called."""
    files = [name for name in upload.names() if name.lower().endswith(".json")]
    if not files:
        raise BadArchive("There is no JSON in the archive.")
    for number, name in enumerate(files):
        categories: dict[str, str] = {}
        for member, item in items_of(upload.pieces(name)):
            note()
            if not isinstance(item, dict):
                continue
            if member == "categories":
                _coco_category(categories, item)
            elif member == "images":
                _coco_image(plan, name, number, item)
        for member, item in items_of(upload.pieces(name)):
            note()
            if member == "annotations" and isinstance(item, dict):
                _coco_box(plan, number, item, categories)


def _coco_category(categories: dict[str, str], item: dict) -> None:
    number, label = item.get("id"), item.get("name")
    if isinstance(number, str | int) and isinstance(label, str) and len(label) <= LABEL_CHARS_MAX:
        categories[str(number)[:LABEL_CHARS_MAX]] = label
    if len(categories) > CATEGORIES_MAX:
        raise BadArchive(f"The archive has more than {CATEGORIES_MAX:,} categories.")


def _coco_image(plan: Plan, name: str, number: int, item: dict) -> None:
    file = item.get("file_name")
    if not isinstance(file, str) or not file:
        raise BadJson("An image has no file_name.")
    folder = name.rpartition("/")[0]
    n = plan.find(f"{folder}/{file}" if folder else file) or plan.find(file, split=folder_split(name))
    n = n or plan.add(file, has_file=False)
    split, label = item.get("split"), item.get("label")
    split = split if split in ("", "train", "valid", "test") else split_in(name)
    plan.say(n, label=label if isinstance(label, str) else None, split=split)
    size = _pixels(item.get("width")), _pixels(item.get("height"))
    plan.name_alias(f"{number}:{item.get('id')}", n, size)


def _coco_box(plan: Plan, number: int, item: dict, categories: dict) -> None:
    found = plan.of_alias(f"{number}:{item.get('image_id')}")
    if found is None:
        return
    n, width, height = found
    place = item.get("bbox")
    if not isinstance(place, list) or len(place) != 4 or not all(_is_number(value) for value in place):
        plan.refuse_box(n, "an annotation without a box")
    elif width <= 0 or height <= 0:
        plan.refuse_box(n, "the image has no size")
    else:
        x, y, w, h = place
        fractions = (x / width, y / height, w / width, h / height)
        slack = (max(SLACK_PX / width, SLACK_FRAC), max(SLACK_PX / height, SLACK_FRAC))
        take_box(plan, n, categories.get(str(item.get("category_id"))), fractions, slack=slack)


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _pixels(value) -> float:
    """0 for what is no size."""
    return float(value) if _is_number(value) else 0.0


def read_yolo(upload: Upload, plan: Plan, note: Note) -> None:
    """A text per picture: in the twin folder `labels`, or beside the picture."""
    labels = _yolo_labels(upload)
    read: set[str] = set()
    for line in plan.each(""):
        note()
        plan.say(line.n, label=None, split=folder_split(line.file))
        for name in _yolo_texts(line.file):
            if name in upload:
                read.add(name)
                _yolo_boxes(upload, plan, line.n, name, labels)
                break
    for name in upload.names():
        if name.endswith(".txt") and "labels" in name.split("/")[:-1] and name not in read:
            note()
            n = plan.find(name) or plan.add(name.removesuffix(".txt"), has_file=False)
            plan.say(n, label=None, split=folder_split(name))
            _yolo_boxes(upload, plan, n, name, labels)


def _yolo_texts(file: str) -> list[str]:
    """Where the text of a picture may lie."""
    text = f"{file.rpartition('.')[0]}.txt"
    head, middle, tail = f"/{text}".rpartition("/images/")
    return [f"{head}/labels/{tail}".lstrip("/"), text] if middle else [text]


def _yolo_labels(upload: Upload) -> dict[int, str]:
    """class number -> label, from `classes.txt`, `obj.names` or `data.yaml`."""
    for name in upload.names():
        if name.rpartition("/")[2] in ("classes.txt", "obj.names"):
            return dict(enumerate(line.strip() for line in upload.text(name).strip("\n").split("\n")))
    for name in upload.names():
        if name.endswith((".yaml", ".yml")):
            return _yaml_names(upload, name)
    raise BadArchive("There is neither classes.txt nor data.yaml in the archive.")


def _yaml_names(upload: Upload, name: str) -> dict[int, str]:
    import yaml  # comes with the API's schema

    try:
        names = yaml.safe_load(upload.read(name, YAML_BYTES_MAX)).get("names")
    except (yaml.YAMLError, AttributeError, RecursionError) as error:
        raise BadArchive(f"{name} is not as expected.", file=name) from error
    found = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(found, dict):
        raise BadArchive(f"{name} has no names.", file=name)
    # Lists within lists can share their parts: as text such a file grows without bound.
    if not all(isinstance(label, str | int | float) for label in found.values()):
        raise BadArchive(f"{name} is not as expected.", file=name)
    return {number: str(label) for number, label in found.items()}


def _yolo_boxes(upload: Upload, plan: Plan, n: int, name: str, labels: dict[int, str]) -> None:
    for line in upload.text(name).splitlines():
        words = line.split()
        if not words:
            continue
        try:
            number, (cx, cy, w, h) = int(words[0]), map(float, words[1:5])
        except ValueError:
            plan.refuse_box(n, "a line that is not `class cx cy w h`")
            continue
        if len(words) > 6:
            plan.refuse_box(n, "an outline, not a box")
        elif number not in labels:
            plan.refuse_box(n, f"there is no class {number}")
        else:
            slack = (SLACK_FRAC, SLACK_FRAC)
            take_box(plan, n, labels[number], (cx - w / 2, cy - h / 2, w, h), slack=slack)


def read_voc(upload: Upload, plan: Plan, note: Note) -> None:
    """An XML per picture; splits from the lists in `ImageSets/Main`, or from folders."""
    splits = _voc_splits(upload)
    files = [name for name in upload.names() if name.lower().endswith(".xml")]
    if not files:
        raise BadArchive("There is no XML in the archive.")
    for name in files:
        note()
        root = _xml(upload, name)
        if root is None or root.tag != "annotation":
            continue
        file = (root.findtext("filename") or "").strip() or f"{stem_of(name)}"
        place = folder_split(name)
        places = (f"JPEGImages/{file}", stem_of(name), file)
        n = next(filter(None, (plan.find(each, split=place) for each in places)), None)
        n = n or plan.add(file, has_file=False)
        split = splits.get(stem_of(name)) or place
        plan.say(n, label=None, split=split if split or not splits else "")
        _voc_boxes(plan, n, root)


def _voc_splits(upload: Upload) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in ("train", "val", "test"):
        for name in upload.names():
            if name.endswith(f"ImageSets/Main/{word}.txt"):
                lines = (line.strip() for line in upload.text(name).split("\n"))
                found |= {stem.casefold(): SETS_OF_VOC[word] for stem in lines if stem}
                if len(found) > ENTRIES_MAX:
                    raise BadArchive("The lists name more pictures than an archive may hold.", file=name)
    return found


SETS_OF_VOC = {"train": "train", "val": "valid", "test": "test"}


def _xml(upload: Upload, name: str) -> ElementTree.Element | None:
    """The root; None for a file that is no XML. Entities are not read. Raises BadArchive."""
    data = upload.read(name)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise BadArchive(f"{name} defines entities; that is not taken.", file=name)
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None


def _voc_boxes(plan: Plan, n: int, root: ElementTree.Element) -> None:
    try:
        width, height = (float(root.findtext(f"size/{side}") or 0) for side in ("width", "height"))
    except ValueError:
        width = height = 0
    for item in root.findall("object"):
        if not (width > 0 and height > 0):
            plan.refuse_box(n, "the annotation has no size")
            continue
        try:
            left, top, right, bottom = (
                float(item.findtext(f"bndbox/{side}") or "") for side in ("xmin", "ymin", "xmax", "ymax")
            )
        except ValueError:
            plan.refuse_box(n, "an object without a box")
            continue
        place = (left / width, top / height, (right - left) / width, (bottom - top) / height)
        take_box(plan, n, item.findtext("name"), place, slack=(SLACK_PX / width, SLACK_PX / height))


def read_csv(upload: Upload, plan: Plan, note: Note) -> None:
    """Every table but the index: rows of SET, path, label and the corners of a box."""
    files = [name for name in upload.names() if name.lower().endswith(".csv") and name != INDEX]
    if not files:
        raise BadArchive("There is no CSV in the archive.")
    for name in files:
        with table(upload, name) as rows:
            for row in rows:
                note()
                _csv_row(plan, [plain(cell) for cell in row])


def _csv_row(plan: Plan, row: list[str]) -> None:
    word = row[0].strip().upper() if row else ""
    if len(row) < 2 or not (word in SETS or word in NO_SET):
        return
    path, label = row[1].rpartition("://")[2], row[2] if len(row) > 2 else ""
    n = plan.find(path) or plan.add(path, has_file=False)
    split = SETS.get(word, "" if word == "UNASSIGNED" else None)
    corners = [cell for cell in row[3:11] if cell.strip()]
    plan.say(n, label=None if corners or not label else label, split=split)
    if not corners:
        return
    try:
        xs = [float(cell) for cell in row[3:11:2] if cell.strip()]
        ys = [float(cell) for cell in row[4:11:2] if cell.strip()]
        place = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    except ValueError:
        plan.refuse_box(n, "a row without the corners of a box")
        return
    take_box(plan, n, label, place, slack=(SLACK_FRAC, SLACK_FRAC))


READERS: dict[str, Callable[[Upload, Plan, Note], None]] = {
    "coco": read_coco,
    "yolo": read_yolo,
    "voc": read_voc,
    "csv": read_csv,
}
