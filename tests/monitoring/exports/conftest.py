"""A dataset with pictures, boxes and splits, and its export as an open archive."""

from __future__ import annotations

import io
import zipfile

import pytest
from rest_framework.test import APIClient

from monitoring.models import Image
from monitoring.services import NewImage, add_image, add_tag, change_image, create_dataset
from tests.pictures import picture


@pytest.fixture
def dataset(organisation):
    return create_dataset(organisation, name="Plates", key="ds-1", by="test")


@pytest.fixture
def add(dataset, monitor, session):
    """add(number, boxes, …) -> a new picture of 640 x 480 in the dataset; boxes: (label, x, y, w, h)."""

    def make(number, *boxes, name="", label="", split="", review="", size=(640, 480), data=None) -> Image:
        data = data or picture(number, size=size)
        new = NewImage(
            data=data, monitor=monitor, name=name or f"p{number}.jpg", label=label, dataset_key="ds-1"
        )
        image = Image.objects.get(key=add_image(new).key)
        for box_label, x, y, w, h in boxes:
            add_tag(image, label=box_label, x=x, y=y, w=w, h=h, by="ann")
        chosen = {name: value for name, value in (("split", split), ("review", review)) if value}
        return change_image(image, by="ann", **chosen) if chosen else image

    return make


@pytest.fixture
def client_of(operator) -> APIClient:
    client = APIClient()
    client.force_login(operator)
    return client


@pytest.fixture
def exported(client_of):
    """exported(format, **query) -> the archive that GET …/export/ gives, after a check of its checksums."""

    def get(format: str, *, of: str = "datasets/ds-1", **query) -> zipfile.ZipFile:
        answer = client_of.get(f"/api/v1/{of}/export/", {"format": format, **query})
        assert answer.status_code == 200, getattr(answer, "content", b"")[:500]
        assert answer["Content-Type"] == "application/zip"
        archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
        assert archive.testzip() is None
        return archive

    return get
