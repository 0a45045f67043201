"""Fills a dataset with pictures and boxes by bulk SQL, and prints its key.

    python -m benchmarks.lib.ours.boxed --pictures 100000 --boxes 500000

There are rows only, no files: an export without pictures reads nothing else.
"""

from __future__ import annotations

import argparse
import json
import time

import benchmarks.lib.ours.ready  # noqa: F401 - before the models
from benchmarks.lib.ours.fill import FIRST_S, follow_sequences, insert, moment, text_of
from monitoring.models import Image, Tag
from monitoring.services import create_dataset
from sessionsite.accounts.models import Organisation

LABELS = 20


def fill(pictures: int, boxes: int) -> str:
    organisation = Organisation.objects.get(slug="default")
    dataset = create_dataset(organisation, name="Many boxes", by="benchmark")
    key, each = text_of("n.i", 26), boxes // pictures
    path = f"'default/2017/07/14/im_' || {key}"
    given = {
        "id": "n.i",
        "key": f"'im_' || {key}",
        "organisation_id": str(organisation.pk),
        "dataset_id": str(dataset.pk),
        "file_path": f"{path} || '.jpg'",
        "thumbnail_path": f"{path} || '.thumb.webp'",
        "format": "'JPEG'",
        "size_bytes": "61000",
        "sha256": text_of("n.i", 64),
        "width": "1920",
        "height": "1080",
        "taken_at": moment(f"({FIRST_S} + n.i)"),
        "received_at": moment(f"({FIRST_S} + n.i)"),
        "name": f"'part-' || {text_of('n.i', 9)} || '.jpg'",
        "label": "'OK'",
    }
    insert(Image, given, 1, pictures)
    place = {"x_frac": "(n.i % 60) / 100.0", "y_frac": "(n.i % 50) / 100.0", "w_frac": "0.3", "h_frac": "0.4"}
    tag = {
        "key": f"'tg_' || {key}",
        "image_id": f"(n.i - 1) / {each} + 1",
        "label": f"'l' || (n.i % {LABELS})",
    }
    insert(Tag, tag | place, 1, pictures * each)
    follow_sequences(Image)
    follow_sequences(Tag)
    return dataset.key


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, required=True)
    parser.add_argument("--boxes", type=int, required=True)
    options = parser.parse_args()
    began = time.monotonic()
    key = fill(options.pictures, options.boxes)
    print(json.dumps({"dataset": key, "took_s": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    main()
