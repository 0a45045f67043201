"""What a migration does to the rows that are there."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from monitoring.models import Image
from monitoring.services import NewImage, add_image
from sessions_app import services as sessions
from tests.pictures import picture


def migrate(*names: str) -> None:
    """To the named migrations of monitoring; without a name to the newest of all apps."""
    executor = MigrationExecutor(connection)
    executor.migrate([("monitoring", name) for name in names] or executor.loader.graph.leaf_nodes())


@pytest.fixture
def newest_again(transactional_db):
    yield
    migrate()


@pytest.mark.django_db(transaction=True)
def test_of_pictures_kept_twice_under_one_key_both_stay_and_the_first_has_it(newest_again, organisation):
    session, other = (sessions.open_session(organisation, kind="recording") for _ in range(2))
    for number, owner in enumerate((session, session, other, session)):
        add_image(NewImage(data=picture(number), session=owner))
    *keyed, _ = Image.objects.order_by("pk").values_list("pk", flat=True)
    migrate("0015_keep_old_rig_gaps")
    Image.objects.filter(pk__in=keyed).update(idempotency_key="k")
    migrate("0016_count_a_key_of_a_session_once")
    kept = Image.objects.order_by("pk").values_list("session__key", "idempotency_key")
    assert list(kept) == [(session.key, "k"), (session.key, None), (other.key, "k"), (session.key, None)]
