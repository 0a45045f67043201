"""Readers of the environment refuse nonsense with the name of the variable."""

import os
import stat
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured

from sessionsite import env


@pytest.mark.parametrize(
    "text, value", [("1", True), ("TRUE", True), ("on", True), (" yes ", True), ("0", False), ("No", False)]
)
def test_booleans_are_read_in_any_case(monkeypatch, text, value):
    monkeypatch.setenv("X", text)
    assert env.env_bool("X", not value) is value


@pytest.mark.parametrize("text", ["2", "maybe", "truee", "-"])
def test_a_boolean_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("X", text)
    with pytest.raises(ImproperlyConfigured, match="X="):
        env.env_bool("X")


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_variable_means_the_default(monkeypatch, text):
    monkeypatch.setenv("X", text)
    assert env.env_int("X", 7) == 7
    assert env.env_bool("X", True) is True
    assert env.env_list("X", ["a"]) == ["a"]
    assert env.env_str("X", "d") == "d"


@pytest.mark.parametrize("text", ["seven", "1.5", "1e3", "0x10", "١٢x"])
def test_a_number_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("X", text)
    with pytest.raises(ImproperlyConfigured, match="not a whole number"):
        env.env_int("X", 1)


def test_a_number_outside_its_bounds_is_refused(monkeypatch):
    monkeypatch.setenv("X", "11")
    assert env.env_int("X", 1, maximum=11) == 11
    with pytest.raises(ImproperlyConfigured, match="above 10"):
        env.env_int("X", 1, maximum=10)
    with pytest.raises(ImproperlyConfigured, match="below 12"):
        env.env_int("X", 1, minimum=12)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_float_must_be_finite(monkeypatch, text):
    monkeypatch.setenv("X", text)
    with pytest.raises(ImproperlyConfigured):
        env.env_float("X", 1.0)


def test_a_choice_outside_the_list_is_refused(monkeypatch):
    monkeypatch.setenv("X", "sometimes")
    with pytest.raises(ImproperlyConfigured, match="power, process"):
        env.env_str("X", "power", choices=("power", "process"))


def test_lists_are_split_at_commas_without_blanks(monkeypatch):
    monkeypatch.setenv("X", " a.example , ,b.example,")
    assert env.env_list("X") == ["a.example", "b.example"]


def test_a_secret_comes_from_the_variable_or_from_its_file(monkeypatch, tmp_path):
    (tmp_path / "s").write_text("from file\n")
    monkeypatch.setenv("X_FILE", str(tmp_path / "s"))
    assert env.env_secret("X") == "from file"
    monkeypatch.setenv("X", "direct")
    with pytest.raises(ImproperlyConfigured, match="both"):
        env.env_secret("X")
    monkeypatch.delenv("X_FILE")
    assert env.env_secret("X") == "direct"


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_secret_file_that_is_missing_or_empty_is_refused(monkeypatch, tmp_path, content):
    if content is not None:
        (tmp_path / "s").write_text(content)
    monkeypatch.setenv("X_FILE", str(tmp_path / "s"))
    with pytest.raises(ImproperlyConfigured, match="X_FILE"):
        env.env_secret("X")


def test_a_stored_secret_is_private_and_stays(tmp_path):
    path = tmp_path / "secret_key"
    first = env.stored_secret(path)
    assert env.stored_secret(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first) >= 50


def test_processes_that_start_together_agree_on_one_stored_secret(tmp_path):
    path, barrier, found = tmp_path / "secret_key", threading.Barrier(8), []

    def read() -> None:
        barrier.wait()
        found.append(env.stored_secret(path))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert os.listdir(tmp_path) == ["secret_key"]


def test_a_stored_secret_that_was_emptied_is_refused(tmp_path):
    (tmp_path / "secret_key").write_text("short")
    with pytest.raises(ImproperlyConfigured, match="no usable secret"):
        env.stored_secret(tmp_path / "secret_key")


def test_a_database_url_becomes_connection_values():
    found = env.database_from_url("postgres://ann:p%40ss@db.example:5433/sessions?sslmode=require")
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert (found["USER"], found["PASSWORD"]) == ("ann", "p@ss")
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", 5433, "sessions")
    assert found["OPTIONS"] == {"sslmode": "require"}


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hidden@h/n",
        "sqlite:///x",
        "hidden",
        "postgres://u:hidden@h",
        "postgres://u:hidden@h:port/n",
    ],
)
def test_other_database_urls_are_refused_without_repeating_them(url):
    with pytest.raises(ImproperlyConfigured) as refusal:
        env.database_from_url(url)
    assert "hidden" not in str(refusal.value)
