"""The helpers in C: compiled where that is possible, used where they fit, never needed."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from django.conf import settings as site

from sessionsite.common import native
from tests.services import need

BUILD = site.BASE_DIR / "native" / "build.py"


@pytest.fixture
def built(tmp_path, monkeypatch):
    """An empty folder, from where helpers are loaded meanwhile."""
    monkeypatch.setattr(native, "BUILT", tmp_path)
    native._library.cache_clear()
    yield tmp_path
    native._library.cache_clear()


def build(folder: Path, capsys) -> str:
    """What was said when the helpers were built into `folder`."""
    names = runpy.run_path(str(BUILD))
    names["main"].__globals__["BUILT"] = folder
    assert names["main"]() == 0
    return capsys.readouterr().out


def test_what_is_built_is_used(built, capsys):
    need("a C compiler with libjpeg-dev and libwebp-dev", build(built, capsys).count("c: compiled") == 2)
    assert all(native.is_used(name) for name in native.NAMES)
    assert sorted(path.name for path in built.iterdir()) == ["files.so", "jpeg.so"]


@pytest.mark.parametrize("compiler", ["false", "no-such-compiler"])
def test_without_a_compiler_nothing_is_left_to_be_used(compiler, built, capsys, monkeypatch):
    monkeypatch.setenv("CC", compiler)
    (built / "files.so").write_bytes(b"of an older source")
    said = build(built, capsys)
    assert said.count("left to Python") == 2
    assert list(built.iterdir()) == []
    assert not native.is_used("files")


def test_a_helper_of_another_interface_is_not_used(monkeypatch):
    monkeypatch.setattr(native, "INTERFACE", native.INTERFACE + 1)
    native._library.cache_clear()
    try:
        assert not native.is_used("files")
    finally:
        native._library.cache_clear()


def test_a_file_that_is_no_library_is_not_used(built):
    (built / "jpeg.so").write_text("not a library")
    assert not native.is_used("jpeg")
