"""docs/cameras.md: its examples run, its tables are complete."""

import re
import shutil
import subprocess
import sys

import pytest
from django.core.management import load_command_class

from monitoring import drop_folder
from tests.pictures import picture
from tests.site.processes import Server, environment, running
from tests.site.settings_of import ROOT

PAGE = (ROOT / "docs" / "cameras.md").read_text()
GENERAL = {
    "--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color",
    "--force-color", "--skip-checks",
}  # fmt: skip


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("command", ["simulate_cameras", "watch_folder"])
def test_every_option_has_its_row_and_no_other(command):
    section = PAGE.split(f"`manage.py {command}", 1)[1].split("\n## ", 1)[0]
    first_cells = "".join(re.findall(r"^\| (`--.*?) \|", section, re.MULTILINE))
    parser = load_command_class("monitoring", command).create_parser("manage.py", command)
    options = {option for action in parser._actions for option in action.option_strings if option[:2] == "--"}
    assert set(re.findall(r"`(--[a-z-]+)`", first_cells)) == options - GENERAL


def test_the_endings_of_unfinished_files_are_listed():
    for ending in drop_folder.UNFINISHED_ENDINGS:
        assert f"`{ending}`" in PAGE
    assert drop_folder.PATIENCE_LOOKS == 5 and "five times more" in PAGE


@pytest.mark.server
def test_the_examples_send_pictures(tmp_path):
    with running(Server, data_dir=tmp_path / "data") as server:
        token = server.token("camera 1", "admin")
        headers = {"Authorization": f"Bearer {token}"}
        for slug in ("cam-1", "cam-2"):
            server.http.post("/api/v1/monitors/", json={"slug": slug}, headers=headers).raise_for_status()
        server.http.post("/api/v1/monitors/cam-1/start/", headers=headers).raise_for_status()
        (tmp_path / "part.jpg").write_bytes(picture())
        known = {"URL": server.url, "TOKEN": token}
        _, curl, simulate, _ = blocks("sh")
        [script] = blocks("python")

        def run(words: list[str], folder) -> None:
            env = environment(tmp_path / "data", **known)
            done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr

        if shutil.which("curl"):
            run(["sh", "-ec", curl], tmp_path)
        run([sys.executable, "-c", script], tmp_path)
        run(["sh", "-ec", simulate.replace("python ", f"{sys.executable} ")], ROOT)

        def state(slug: str) -> dict:
            return server.http.get(f"/api/v1/monitors/{slug}/state/", headers=headers).json()

        assert state("cam-1")["total_counter"] == 4 + bool(shutil.which("curl"))
        assert state("cam-2")["total_counter"] == 3
        found = server.http.get("/api/v1/images/?monitor=cam-1&label=DEFECT", headers=headers).json()[
            "results"
        ]
        assert any(tag["label"] == "scratch" for image in found for tag in image["tags"])
