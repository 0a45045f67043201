"""A dataset to export from, an empty one to import into, and an import from the upload to its end."""

from __future__ import annotations

import io
import zipfile

import pytest
from rest_framework.test import APIClient

from monitoring.jobs import runner
from monitoring.models import Image
from monitoring.services import create_dataset
from tests.monitoring.exports.conftest import add, dataset, exported  # noqa: F401 - fixtures

PIECE = 4000


@pytest.fixture
def client_of(operator) -> APIClient:
    client = APIClient()
    client.force_login(operator)
    return client


@pytest.fixture
def target(organisation):
    return create_dataset(organisation, name="Copy", key="copy", by="test")


def zip_of(files: dict[str, bytes | str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


class Importing:
    """An import as a client does it."""

    def __init__(self, client: APIClient, into: str) -> None:
        self.client, self.into = client, into

    def send(self, format: str, data: bytes) -> dict:
        """The job after its dry run, whatever it says."""
        body = {"format": format, "name": "a.zip", "size_bytes": len(data)}
        answer = self.client.post(f"/api/v1/datasets/{self.into}/import/", body, format="json")
        assert answer.status_code == 201, answer.content
        self.url = f"/api/v1/jobs/{answer.json()['key']}/"
        for offset in range(0, len(data), max(PIECE, len(data) // 3)):
            piece = data[offset : offset + max(PIECE, len(data) // 3)]
            taken = self.client.put(
                f"{self.url}upload/?offset={offset}", piece, content_type="application/octet-stream"
            )
            assert taken.status_code == 200, taken.content
        assert runner.run_next()
        return self.job()

    def job(self) -> dict:
        return self.client.get(self.url).json()

    def report(self, **query) -> list[dict]:
        lines, after = [], 0
        while after is not None:
            page = self.client.get(f"{self.url}report/", {"after": after, "limit": 3, **query}).json()
            lines, after = lines + page["results"], page["next_after"]
        return lines

    def apply(self) -> dict:
        """The job after it was applied."""
        answer = self.client.post(f"{self.url}apply/")
        assert answer.status_code == 200, answer.content
        assert runner.run_next()
        return self.job()


@pytest.fixture
def importing(client_of, target):
    """importing(into="copy") -> an Importing."""
    return lambda into="copy": Importing(client_of, into)


def contents(of) -> list[tuple]:
    """(name, label, split, size, boxes) of each kept picture, sorted: what a round trip must keep."""
    found = []
    for image in Image.objects.kept().filter(dataset=of).prefetch_related("tags"):
        boxes = sorted(
            (tag.label, tag.x_frac, tag.y_frac, tag.w_frac, tag.h_frac) for tag in image.tags.all()
        )
        found.append((image.name, image.label, image.split, (image.width, image.height), image.sha256, boxes))
    return sorted(found)
