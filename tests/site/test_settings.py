"""What the environment turns on, and that nothing in it means a server that runs."""

import stat

import pytest
from django.core.exceptions import ImproperlyConfigured

from sessionsite import __version__
from tests.site.settings_of import ROOT, settings_with


@pytest.fixture
def with_environment(monkeypatch, tmp_path):
    def read(**environment):
        return settings_with(monkeypatch, tmp_path / "data", **environment)

    return read


def test_nothing_in_the_environment_means_sqlite_and_memory(with_environment, tmp_path):
    found = with_environment()
    database = found["DATABASES"]["default"]
    assert database["ENGINE"] == "sessionsite.common.sqlite"
    assert database["NAME"] == tmp_path / "data" / "db.sqlite3"
    assert found["CHANNEL_LAYERS"]["default"]["BACKEND"] == "channels.layers.InMemoryChannelLayer"
    assert found["DEBUG"] is False
    assert found["MEDIA_ROOT"] == tmp_path / "data" / "media"


def test_the_secret_key_is_made_once_and_kept_private(with_environment, tmp_path):
    first = with_environment()["SECRET_KEY"]
    assert with_environment()["SECRET_KEY"] == first
    assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600


def test_a_secret_key_from_outside_leaves_no_file(with_environment, tmp_path):
    assert with_environment(SECRET_KEY="x" * 50)["SECRET_KEY"] == "x" * 50
    assert not (tmp_path / "data" / "secret_key").exists()


def test_two_servers_on_one_machine_have_two_session_cookies(with_environment):
    names = {with_environment(SECRET_KEY=key * 50)["SESSION_COOKIE_NAME"] for key in "ab"}
    assert len(names) == 2


@pytest.mark.parametrize("durability, synchronous", [("power", "FULL"), ("process", "NORMAL")])
def test_sqlite_is_as_durable_as_asked(with_environment, durability, synchronous):
    options = with_environment(DURABILITY=durability)["DATABASES"]["default"]["OPTIONS"]
    assert f"PRAGMA synchronous={synchronous};" in options["init_command"]
    assert "PRAGMA journal_mode=WAL;" in options["init_command"]
    assert options["transaction_mode"] == "IMMEDIATE"


@pytest.mark.parametrize("durability, commit", [("power", "on"), ("process", "off")])
def test_postgresql_uses_a_pool_and_its_own_durability(with_environment, durability, commit):
    database = with_environment(DATABASE_URL="postgres://u:p@h/n?sslmode=require", DURABILITY=durability)
    database = database["DATABASES"]["default"]
    assert database["CONN_MAX_AGE"] == 0
    assert database["CONN_HEALTH_CHECKS"] is True
    assert database["OPTIONS"]["pool"]["max_size"] == 16
    assert database["OPTIONS"]["options"] == f"-c synchronous_commit={commit}"
    assert database["OPTIONS"]["sslmode"] == "require"


def test_redis_is_used_by_publish_and_subscribe_with_named_timeouts(with_environment):
    layer = with_environment(REDIS_URL="redis://h:6379/1")["CHANNEL_LAYERS"]["default"]
    assert layer["BACKEND"] == "channels_redis.pubsub.RedisPubSubChannelLayer"
    assert layer["CONFIG"]["hosts"] == [
        {"address": "redis://h:6379/1", "socket_timeout": 20, "socket_connect_timeout": 3}
    ]


def test_cookies_are_secure_only_behind_tls(with_environment):
    plain, tls = with_environment(), with_environment(TLS="1")
    for name in ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT"):
        assert plain[name] is False
        assert tls[name] is True
    assert plain["SECURE_HSTS_SECONDS"] == 0
    assert tls["SECURE_HSTS_SECONDS"] > 0


def test_a_proxy_is_believed_only_when_asked(with_environment):
    assert "SECURE_PROXY_SSL_HEADER" not in with_environment()
    assert with_environment(TRUST_PROXY="1")["SECURE_PROXY_SSL_HEADER"][0] == "HTTP_X_FORWARDED_PROTO"


def test_loopback_stays_allowed_beside_named_hosts(with_environment):
    found = with_environment(ALLOWED_HOSTS="a.example, b.example")
    assert found["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]", "a.example", "b.example"]
    assert found["HOSTS_FOLLOW_ADDRESS"] is False
    assert with_environment()["HOSTS_FOLLOW_ADDRESS"] is True


@pytest.mark.parametrize("given, seconds", [("", 43200), ("60", 60), ("0", None)])
def test_stale_sessions_end_after_a_time_or_never(with_environment, given, seconds):
    assert with_environment(SESSION_STALE_AFTER_S=given)["SESSION_STALE_AFTER_S"] == seconds


@pytest.mark.parametrize(
    "variable, text",
    [
        ("DEBUG", "perhaps"),
        ("DURABILITY", "always"),
        ("MAX_IMAGE_BYTES", "20MB"),
        ("MAX_IMAGE_PIXELS", "0"),
        ("HANDLER_THREADS", "0"),
        ("DISK_RESERVE_BYTES", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("DATABASE_URL", "mysql://u:p@h/n"),
        ("SECRET_KEY_FILE", "/does/not/exist"),
    ],
)
def test_nonsense_stops_the_start_with_the_name_of_the_variable(with_environment, variable, text):
    with pytest.raises(ImproperlyConfigured, match=variable):
        with_environment(**{variable: text})


def test_a_picture_at_its_limit_fits_into_a_body_as_base64(with_environment):
    found = with_environment()
    assert found["MAX_BODY_BYTES"] > found["MAX_IMAGE_BYTES"] * 4 / 3 + 64 * 1024
    assert found["DATA_UPLOAD_MAX_MEMORY_SIZE"] == found["MAX_BODY_BYTES"]


def test_the_content_policy_allows_nothing_unsafe(with_environment):
    directives = with_environment()["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    assert directives["default-src"] == directives["script-src"] == directives["style-src"] == ["'self'"]
    assert not [source for sources in directives.values() for source in sources if "unsafe" in source]


def test_the_version_is_that_of_the_project_file():
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()
