"""Fixtures of the whole suite: the nouns of the product, small and made by its own verbs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pictures import picture


def pytest_configure(config) -> None:
    """Cheap passwords, and no background loops in the test's own process: tests call their steps.

    Races run more threads in this process than a server has, beside what keeps a connection from test to
    test; and a connection that is late on a busy machine is no lost database.
    """
    from django.conf import settings

    settings.BACKGROUND_LOOPS = False
    settings.RATE_LIMIT_PER_MIN = settings.RATE_LIMIT_EXPORTS_PER_MIN = 0  # tests are faster than people
    # A real hash takes a quarter of a second on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
    if pool := settings.DATABASES["default"].get("OPTIONS", {}).get("pool"):
        pool.update(max_size=32, timeout=20)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # marks before -m chooses, sorts after pytest-django has
def pytest_collection_modifyitems(items) -> Iterator[None]:
    """Marks `database` what uses the run's database; a test marked `once` must not, it runs on SQLite alone.

    pytest-django keeps a test without these fixtures, and without its marker, from every database.
    Files with a slow test come first: at the end of a run no worker is left alone with one.
    """
    of_the_run = {"db", "transactional_db", "django_db_reset_sequences", "live_server"}
    for item in items:
        uses_it = item.get_closest_marker("django_db") or of_the_run & {*item.fixturenames}
        if item.get_closest_marker("once") and uses_it:
            raise pytest.UsageError(f"{item.nodeid} is marked `once` and uses the database of the run")
        if uses_it:
            item.add_marker("database")
    yield
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.fixture(autouse=True, scope="session")
def a_flush_meets_the_last_writes_of_a_test():
    """Emptying the tables takes every lock at once; a thread that still ends its work holds some of them.

    PostgreSQL then ends one of the two. When it is the flush, it is done again.
    """
    from django.db import OperationalError
    from django.db.backends.base.operations import BaseDatabaseOperations

    flush_once = BaseDatabaseOperations.execute_sql_flush

    def flush(operations, sql_list) -> None:
        for _ in range(9):
            try:
                return flush_once(operations, sql_list)
            except OperationalError as error:
                if "deadlock" not in str(error):
                    raise
        flush_once(operations, sql_list)

    BaseDatabaseOperations.execute_sql_flush = flush
    yield
    BaseDatabaseOperations.execute_sql_flush = flush_once


@pytest.fixture(autouse=True, scope="session")
def a_flush_deletes_rows():
    """PostgreSQL makes every file of every table anew when it truncates: most of a second for each test.

    The lock does what truncating did: it waits for the last writes of the test.
    """
    from django.db.backends.postgresql.operations import DatabaseOperations

    truncate = DatabaseOperations.sql_flush

    def delete(self, style, tables, *, reset_sequences=False, allow_cascade=False) -> list[str]:
        if reset_sequences or not tables:
            return truncate(self, style, tables, reset_sequences=reset_sequences, allow_cascade=allow_cascade)
        names = [self.quote_name(table) for table in tables]
        lock = f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE"
        return [lock, *(f"DELETE FROM {name}" for name in names)]

    DatabaseOperations.sql_flush = delete
    yield
    DatabaseOperations.sql_flush = truncate


@pytest.fixture
def threads_keep_connections(django_db_blocker):
    """The pool's threads look at the connections that earlier tests left them, without using any."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def things(monkeypatch, threads_keep_connections):
    """The topics `thing:...` for the time of a test, kept in memory; there is one, `a`."""
    from sessionsite.common import live
    from tests.common.things import Things

    topics = Things()
    monkeypatch.setitem(live._registry.topics, "thing", topics)
    topics.make("a")
    return topics


@pytest.fixture
def organisation(db):
    from sessionsite.accounts.services import create_organisation

    return create_organisation("default", name="Default", by="test")


@pytest.fixture
def other_organisation(db):
    from sessionsite.accounts.services import create_organisation

    return create_organisation("elsewhere", name="Elsewhere", by="test")


def _member(organisation, role: str):
    from django.utils import timezone

    from sessionsite.accounts.models import User
    from sessionsite.accounts.services import set_role

    # Seen just now: nothing has to be noted when they ask.
    user = User.objects.create_user(role, password="secret", last_seen_at=timezone.now())
    set_role(user, organisation, role, by="test")
    return user


@pytest.fixture
def viewer(organisation):
    return _member(organisation, "viewer")


@pytest.fixture
def operator(organisation):
    return _member(organisation, "operator")


@pytest.fixture
def reviewer(organisation):
    return _member(organisation, "reviewer")


@pytest.fixture
def administrator(organisation):
    return _member(organisation, "admin")


@pytest.fixture
def stranger(other_organisation):
    """An operator of another organisation."""
    from sessionsite.accounts.models import User
    from sessionsite.accounts.services import set_role

    user = User.objects.create_user("stranger", password="secret")
    set_role(user, other_organisation, "operator", by="test")
    return user


@pytest.fixture
def token(organisation) -> str:
    """The secret of an operator's token."""
    from sessionsite.accounts.services import create_token

    return create_token(organisation, name="line 1", role="operator", by="test")[1]


@pytest.fixture
def viewer_token(organisation) -> str:
    from sessionsite.accounts.services import create_token

    return create_token(organisation, name="display", role="viewer", by="test")[1]


@pytest.fixture
def foreign_token(other_organisation) -> str:
    from sessionsite.accounts.services import create_token

    return create_token(other_organisation, name="foreign", role="admin", by="test")[1]


@pytest.fixture
def monitor(organisation):
    from monitoring.services import create_monitor

    return create_monitor(organisation, slug="cam-1", name="Camera 1", by="test")


@pytest.fixture
def session(monitor):
    """The open session of `monitor`, which runs."""
    from monitoring.services import start_monitor

    return start_monitor(monitor, by="ann")


@pytest.fixture
def jpeg() -> bytes:
    """A whole small picture; tests.pictures.picture(n) makes others."""
    return picture()


@pytest.fixture
def image(monitor, session, jpeg):
    """The first picture of the running session."""
    from monitoring.models import Image
    from monitoring.services import NewImage, add_image

    return Image.objects.get(key=add_image(NewImage(data=jpeg, monitor=monitor, name="first.jpg")).key)


@pytest.fixture
def published():
    """The topics that were announced, in order: only what a commit let out."""
    from sessionsite.common import live

    seen: list[str] = []

    def listener(topic, revision, seq, urgent) -> None:
        seen.append(topic)

    live.add_listener(listener)
    yield seen
    live.remove_listener(listener)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The test database, which PostgreSQL drops only when no thread of a test is connected any more."""
    yield
    from django.db import connection

    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            cursor.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
