"""The pages about settings and operations say what the code does."""

import re
import subprocess

import pytest
from django.core.management import get_commands, load_command_class

from tests.site.settings_of import ROOT, settings_variables, settings_with

DOCS = ROOT / "docs"
ROW = re.compile(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`|\*none\*) \| (.*) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[str, str]]:
    """variable -> (default, meaning), as docs/settings.md tells them."""
    found = ROW.findall((DOCS / "settings.md").read_text())
    assert len({name for name, *_ in found}) == len(found)
    return {name: (default, meaning) for name, default, meaning in found}


def test_every_variable_is_documented_and_no_other(rows):
    assert set(rows) == set(settings_variables())


def test_secrets_are_marked(rows):
    marked = {name for name, (_, meaning) in rows.items() if meaning.startswith("*secret*")}
    assert marked == {name for name, kind in settings_variables().items() if kind == "secret"}


def test_documented_defaults_are_those_of_the_code(rows, monkeypatch, tmp_path):
    found = settings_with(monkeypatch, tmp_path)
    for name, (default, _) in rows.items():
        if name in ("DATA_DIR", "SECRET_KEY", "ALLOWED_HOSTS", "HSTS_SECONDS"):
            continue  # made, widened or switched by another one: see test_settings
        value = found[name]
        if isinstance(value, list):
            value = ",".join(value)
        elif value is None or isinstance(value, bool):
            value = int(bool(value))
        assert str(value) == default, name  # None is what 0 stands for


def test_the_default_data_folder_is_var_beside_manage_py(rows):
    assert rows["DATA_DIR"][0] == "var"
    assert 'env_path("DATA_DIR", BASE_DIR / "var")' in (ROOT / "sessionsite" / "settings.py").read_text()


def test_hsts_lasts_as_documented(rows, monkeypatch, tmp_path):
    assert (
        str(settings_with(monkeypatch, tmp_path, TLS="1")["SECURE_HSTS_SECONDS"]) == rows["HSTS_SECONDS"][0]
    )


@pytest.mark.parametrize("name", ["operations.md", "scaling.md", "settings.md", "watched-sessions.md"])
def test_commands_on_the_pages_exist_with_their_options(name):
    text = (DOCS / name).read_text()
    commands = get_commands()
    for command, options in re.findall(r"manage\.py ([a-z_]+)((?: [^\s`|)]+)*)", text):
        assert command in commands, command
        parser = load_command_class(commands[command], command).create_parser("manage.py", command)
        known = {option for action in parser._actions for option in action.option_strings}
        assert {word for word in options.split() if word.startswith("--")} <= known, (command, options)


@pytest.mark.parametrize("name", ["operations.md", "scaling.md", "settings.md", "watched-sessions.md"])
def test_variables_on_the_pages_exist(name):
    text = (DOCS / name).read_text()
    elsewhere = {
        *re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()),
        *re.findall(r"^([A-Z_]+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE),
        *settings_variables(),
    }
    elsewhere |= {f"{variable}_FILE" for variable in settings_variables()}
    named = set(re.findall(r"\b([A-Z]+_[A-Z_]+[A-Z])\b", text))
    assert named - elsewhere - {"TCP_USER_TIMEOUT"} == set()


def test_files_on_the_pages_exist():
    for page in ("operations.md", "scaling.md"):
        for path in re.findall(r"`((?:deploy|docs|sessionsite)/[\w./-]+)`", (DOCS / page).read_text()):
            assert (ROOT / path).exists(), path


def test_make_help_lists_each_target_people_use():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in shown.splitlines() if line.startswith("make ")} >= {
        "install",
        "run",
        "test",
        "lint",
    }
