"""Eight clients post pictures at once: what was acknowledged is there, and everything is counted once.

INGEST_TEST_S sets how long they post; the figures are printed at the end (`pytest -s`).
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import pytest
from django.db import connection
from PIL import Image as Pillow

from monitoring.models import Image, Monitor, MonitorDay
from sessions_app.models import FlowBucket, LabelCount, Session
from sessionsite.common.files import media_file, media_root

CLIENTS = 8
SECONDS = float(os.environ.get("INGEST_TEST_S", "3"))
PICTURES = 12  # different ones per client, sent in turn
REPEAT_EVERY = 10  # this one is sent twice, as after a lost answer
FIRST_DATE = 1_772_352_000_000


@dataclass
class Told:
    """What one client was told."""

    acknowledged: dict[str, str] = field(default_factory=dict)  # image id -> sha256 of what was sent
    repeats: int = 0
    statuses: Counter = field(default_factory=Counter)


def jpeg(client: int, number: int) -> bytes:
    shade = Pillow.effect_noise((320, 240), 40 + client)
    shade.putpixel((number, client), 255)
    stream = io.BytesIO()
    shade.convert("RGB").save(stream, "JPEG", quality=85)
    return stream.getvalue()


def post_for(seconds: float, address: str, token: str, client: int) -> Told:
    told = Told()
    pictures = [jpeg(client, number) for number in range(PICTURES)]
    bodies = [(base64.b64encode(data).decode(), hashlib.sha256(data).hexdigest()) for data in pictures]
    end, number = time.monotonic() + seconds, 0
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=address, headers=headers, timeout=60) as http:
        while time.monotonic() < end:
            image, sha256 = bodies[number % PICTURES]
            about = {"date": FIRST_DATE + number, "name": f"{client}-{number}.jpg", "tag": f"label {client}"}
            for attempt in range(2 if number % REPEAT_EVERY == 0 else 1):
                answer = http.post("/monitor/race-cam/image", json={"image": image, "image_data": about})
                told.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    key = answer.json()["data"]["id"]
                    told.repeats += key in told.acknowledged
                    assert attempt or key not in told.acknowledged
                    told.acknowledged[key] = sha256
            number += 1
    return told


@pytest.mark.timeout(60 + SECONDS * 4)
def test_every_acknowledged_picture_is_kept_and_counted_once(monitor, address, token, at_once):
    httpx.get(f"{address}/monitor/race-cam/start", headers={"Authorization": f"Bearer {token}"})
    began = time.monotonic()
    told = at_once(CLIENTS, lambda client: post_for(SECONDS, address, token, client))
    took_s = time.monotonic() - began

    acknowledged = {key: sha256 for each in told for key, sha256 in each.acknowledged.items()}
    statuses = sum((each.statuses for each in told), Counter())
    assert set(statuses) <= {200, 503}, statuses
    assert all(each.acknowledged for each in told)
    assert sum(each.repeats for each in told) > 0

    rows = {image.key: image for image in Image.objects.filter(monitor=monitor)}
    assert rows.keys() == acknowledged.keys()
    for key, sha256 in acknowledged.items():
        assert hashlib.sha256(media_file(rows[key].file_path).read_bytes()).hexdigest() == sha256
        assert Pillow.open(media_file(rows[key].thumbnail_path)).format == "WEBP"

    files = [path for path in (media_root() / "race").rglob("*") if path.is_file()]
    assert len(files) == 2 * len(rows)
    session = Session.objects.get(monitor=monitor)
    size_bytes = sum(path.stat().st_size for path in files)
    assert (session.total_counter, session.image_count) == (len(rows), len(rows))
    assert session.size_bytes == Monitor.objects.get().stored_bytes == size_bytes
    assert sum(FlowBucket.objects.values_list("count", flat=True)) == len(rows)
    assert sum(LabelCount.objects.values_list("count", flat=True)) == len(rows)
    assert sum(MonitorDay.objects.values_list("images", flat=True)) == len(rows)
    journalled = session.events.filter(kind="images_added").values_list("detail__count", flat=True)
    assert sum(journalled) == len(rows)
    assert list(session.events.values_list("seq", flat=True)) == list(range(1, session.last_seq + 1))
    print(  # noqa: T201 - the figures are asked for with -s
        f"\n{connection.vendor}: {CLIENTS} clients, {took_s:.1f} s, {len(rows)} pictures, "
        f"{len(rows) / took_s:.0f}/s, {sum(each.repeats for each in told)} repeats, {dict(statuses)}"
    )
