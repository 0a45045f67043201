"""Every time in the admin says its zone, also where Django writes it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.models import Image

from .conftest import detail_page, list_page


@pytest.fixture
def now():
    return timezone.now()


def written(at) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def test_a_picture_says_when_it_was_taken_and_deleted(image, as_viewer, now):
    deleted_at = now + timedelta(minutes=1)
    Image.objects.filter(pk=image.pk).update(taken_at=now, deleted_at=deleted_at)
    assert written(now) in list_page(as_viewer, "monitoring_image", "?deleted=yes")
    page = detail_page(as_viewer, "monitoring_image", image).content.decode()
    assert written(now) in page and written(deleted_at) in page


def test_a_list_says_when_its_rows_were_made(organisation, as_administrator):
    assert written(organisation.created_at) in list_page(as_administrator, "accounts_organisation")


def test_a_session_says_when_it_began(session, as_viewer):
    assert written(session.started_at) in list_page(as_viewer, "sessions_app_session")
