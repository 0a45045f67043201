"""A dataset with some pictures, its clients, and jobs of it."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from monitoring.jobs import runner
from monitoring.models import Job
from monitoring.services import NewImage, add_image, create_dataset
from tests.pictures import picture


@pytest.fixture
def dataset(organisation):
    return create_dataset(organisation, name="Plates", key="ds-1", by="test")


@pytest.fixture
def pictures(dataset, monitor, session) -> None:
    for number in range(3):
        new = NewImage(data=picture(number), monitor=monitor, name=f"p{number}.jpg", dataset_key="ds-1")
        add_image(new)


@pytest.fixture
def client_for():
    def of(user) -> APIClient:
        client = APIClient()
        client.force_login(user)
        return client

    return of


@pytest.fixture
def as_viewer(client_for, viewer) -> APIClient:
    return client_for(viewer)


@pytest.fixture
def asked(as_viewer, pictures) -> dict:
    """An export job, as the one who asked for it sees it."""
    answer = as_viewer.post("/api/v1/datasets/ds-1/export/", {"format": "coco"}, format="json")
    assert answer.status_code == 202, answer.content
    assert answer["Location"] == f"/api/v1/jobs/{answer.json()['key']}/"
    return answer.json()


@pytest.fixture
def job(asked) -> Job:
    return Job.objects.get(key=asked["key"])


@pytest.fixture
def finished(asked) -> dict:
    assert runner.run_next()
    return asked
