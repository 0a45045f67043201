"""Outside services that some tests need: a visible skip on a laptop, a failure in CI."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from benchmarks.lib import databases, servers
from benchmarks.lib.processes import Server

REDIS_URL = os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/5"


def has_redis() -> bool:
    try:
        return redis.Redis.from_url(REDIS_URL, socket_connect_timeout=1).ping()
    except redis.RedisError:
        return False


def need_numpy():
    """numpy; the test is skipped without it, and fails when CI is set."""
    try:
        import numpy
    except ImportError:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("numpy is not installed: the extra `audio`")
    return numpy


def need_redis() -> None:
    """Skip the test where no Redis answers; fail it when CI is set."""
    need(f"Redis at {REDIS_URL}", has_redis())


def need(what: str, is_there: bool) -> None:
    """Skip the test where `what` is missing; fail it when CI is set."""
    if not is_there:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not there")


@contextlib.contextmanager
def own_postgresql() -> Iterator[Server]:
    """A running PostgreSQL of the test's own, with fsync on; it may be killed and started again."""
    need("PostgreSQL", databases.has_postgresql())
    # Not below pytest's own folder, which is closed to the user that this server runs as.
    with tempfile.TemporaryDirectory(prefix="tests-postgresql-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with databases.own_server(folder) as server:
            yield server


@contextlib.contextmanager
def own_redis(folder: Path) -> Iterator[Server]:
    """A running Redis of the test's own; it may be killed and started again."""
    server = servers.redis(folder)
    need("redis-server", server is not None)
    with server:
        yield server
