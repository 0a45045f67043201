"""Outside services that some tests need: a visible skip on a laptop, a failure in CI."""

import os

import pytest
import redis

REDIS_URL = os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/5"


def has_redis() -> bool:
    try:
        return redis.Redis.from_url(REDIS_URL, socket_connect_timeout=1).ping()
    except redis.RedisError:
        return False


def need_redis() -> None:
    """Skip the test where no Redis answers; fail it when CI is set."""
    if not has_redis():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Redis at {REDIS_URL}")
