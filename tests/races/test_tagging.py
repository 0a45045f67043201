"""Eight people edit one picture: what is accepted is in the history, what is refused shows both sides.

TAG_RACE_S: how many seconds they do it (3 unless given).
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import pytest

from monitoring.messages import tag_json
from monitoring.models import Image, Tag, TagChange
from monitoring.services import NewImage, add_image, start_monitor
from sessions_app.models import LabelCount, SessionEvent
from sessionsite.accounts.services import create_token
from tests.pictures import picture

logger = logging.getLogger(__name__)

PEOPLE = 8
SECONDS = float(os.environ.get("TAG_RACE_S", "3"))
BOXES_KEPT = 12  # with more of them, they rather delete


@pytest.fixture
def image(monitor):
    start_monitor(monitor, by="test")
    return Image.objects.get(key=add_image(NewImage(data=picture(), monitor=monitor)).key)


@dataclass
class Person:
    """Edits at random until the time is up, by what they saw last; notes what became of it.

    A machine that is busy gets more time, until a few edits were accepted.
    """

    name: str
    http: httpx.Client
    image: str
    rng: random.Random
    accepted: list[dict] = field(default_factory=list)
    refused: list[dict] = field(default_factory=list)
    asked: Counter = field(default_factory=Counter)

    def work(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(self.accepted) < 3:
            seen = self.http.get(f"images/{self.image}/").json()
            for _ in range(self.rng.randint(1, 3)):  # the later ones are made from what is old by then
                self.note(*self.edit(seen))

    def edit(self, seen: dict) -> tuple[str, httpx.Response]:
        tags = seen["tags"]
        verbs = ["add", "undo", "redo", "label", *(["change", "delete", "replace"] * 2 if tags else [])]
        verb = "delete" if len(tags) > BOXES_KEPT else self.rng.choice(verbs)
        self.asked[verb] += 1
        tag = self.rng.choice(tags) if tags else {}
        version = {"If-Match": f'"{tag.get("revision", seen["revision"])}"'}
        whole = {"If-Match": f'"{seen["revision"]}"'}
        if verb == "add":
            return verb, self.http.post(f"images/{self.image}/tags/", json=self.box())
        if verb == "change":
            return verb, self.http.patch(f"tags/{tag['key']}/", json={"label": self.word()}, headers=version)
        if verb == "delete":
            return verb, self.http.delete(f"tags/{tag['key']}/", headers=version)
        if verb == "replace":
            body = {"tags": [self.box() for _ in range(2)]}
            return verb, self.http.put(f"images/{self.image}/tags/", json=body, headers=whole)
        if verb == "label":
            return verb, self.http.patch(f"images/{self.image}/", json={"label": self.word()}, headers=whole)
        return verb, self.http.post(f"images/{self.image}/{verb}/")

    def word(self) -> str:
        return f"{self.name} {self.rng.randint(0, 10**9)}"

    def box(self) -> dict:
        x, y = self.rng.random() / 2, self.rng.random() / 2
        return {"label": self.word(), "x": x, "y": y, "w": 0.3, "h": 0.3}

    def note(self, verb: str, answer: httpx.Response) -> None:
        body = answer.json() if answer.content else {}
        if answer.is_success:
            self.accepted.append({"verb": verb, "body": body})
        elif body.get("code") == "nothing_to_undo":
            self.asked[verb] -= 1  # there was nothing to ask for
        else:
            self.refused.append({"verb": verb, "status": answer.status_code, **body})


def test_every_edit_of_eight_people_is_in_the_history(image, address, at_once, organisation, settings):
    settings.RATE_LIMIT_PER_MIN = None
    people = []
    for number in range(PEOPLE):
        secret = create_token(organisation, name=f"person {number}", role="operator", by="test")[1]
        headers = {"Authorization": f"Bearer {secret}"}
        http = httpx.Client(base_url=f"{address}/api/v1/", headers=headers, timeout=60, trust_env=False)
        people.append(Person(f"person {number}", http, image.key, random.Random(number)))
    at_once(PEOPLE, lambda number: people[number].work(SECONDS))
    for person in people:
        person.http.close()
        assert sum(person.asked.values()) == len(person.accepted) + len(person.refused)

    rows = list(TagChange.objects.filter(image=image).order_by("pk"))
    check_replay(image, rows)
    check_refused(people)
    check_accepted(image, people, rows)
    total = sum(len(person.accepted) for person in people)
    refused = sum(len(person.refused) for person in people)
    logger.info("%s edits accepted, %s refused with both sides, %s rows", total, refused, len(rows))
    assert total >= PEOPLE and refused > 0


def check_replay(image: Image, rows: list[TagChange]) -> None:
    """Each row begins where the one before ended, and the last ends with what is there."""
    tags: dict[str, dict] = {}
    label = ""
    for row in rows:
        if row.verb == "picture":
            assert row.before["label"] == label
            label = row.after["label"]
            continue
        assert tags.pop(row.tag_key, None) == row.before
        if row.after:
            tags[row.tag_key] = row.after
    now = Image.objects.get(pk=image.pk)
    assert tags == {tag.key: tag_json(tag, image.key) for tag in Tag.objects.filter(image=image)}
    assert label == now.label
    assert max(row.image_revision for row in rows) == now.revision
    counted = LabelCount.objects.filter(session=now.session_id, of=LabelCount.BOX, count__gt=0)
    assert dict(counted.values_list("label", "count")) == Counter(tag["label"] for tag in tags.values())
    seqs = SessionEvent.objects.filter(session=now.session_id).order_by("seq").values_list("seq", flat=True)
    assert list(seqs) == list(range(1, now.session.last_seq + 1))


def check_refused(people: list[Person]) -> None:
    for person in people:
        for refusal in person.refused:
            assert (refusal["status"], refusal["code"]) == (412, "revision_mismatch"), refusal
            assert set(refusal["details"]) == {"yours", "current"}, refusal
            yours, current = refusal["details"]["yours"], refusal["details"]["current"]
            assert yours is None or yours, "one's own side is told"
            if current is not None and yours and refusal["verb"] in ("change", "delete"):
                assert current["revision"] > yours["revision"]


def check_accepted(image: Image, people: list[Person], rows: list[TagChange]) -> None:
    """As many edits were made as were answered with success, each by the one who was told so."""
    made = Counter(author for _, author in {(row.image_revision, row.author) for row in rows})
    assert made == {person.name: len(person.accepted) for person in people if person.accepted}
    written = {(row.after["key"], row.after["revision"]) for row in rows if row.tag_key and row.after}
    for person in people:
        for edit in person.accepted:
            if edit["verb"] in ("add", "change"):
                assert (edit["body"]["key"], edit["body"]["revision"]) in written
    undone = Counter(row.act for row in {row.image_revision: row for row in rows}.values())
    told = Counter(edit["verb"] for person in people for edit in person.accepted)
    assert (undone["undo"], undone["redo"]) == (told["undo"], told["redo"])
