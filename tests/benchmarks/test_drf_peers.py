"""The Django REST peers: the plain one is what `startproject` writes, and both do the whole task."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
from pathlib import Path

import django
import pytest
from PIL import Image

from benchmarks.lib.peers.work import THUMBNAIL
from benchmarks.lib.pictures import write_pictures
from benchmarks.lib.processes import REPOSITORY, Server, ask, environment
from benchmarks.lib.servers import drf

pytestmark = [pytest.mark.server, pytest.mark.once]
ADDED_APPS = ["channels", "rest_framework", "rest_framework.authtoken"]
SHOW = """
import json
from benchmarks.lib.peers.drf import settings
print(json.dumps([settings.MIDDLEWARE, settings.INSTALLED_APPS, settings.DEBUG]))
"""


@pytest.fixture(params=[False, True], ids=["plain", "lean"])
def peer(request, tmp_path):
    with drf(tmp_path, server="uvicorn", is_lean=request.param) as server:
        yield server


@pytest.fixture
def picture(tmp_path) -> bytes:
    return write_pictures(tmp_path / "given", count=1, extension="jpg")[0].read_bytes()


def written_by_startproject(name: str) -> list[str]:
    template = Path(django.__file__).parent / "conf/project_template/project_name/settings.py-tpl"
    assignments = [node for node in ast.parse(template.read_text()).body if isinstance(node, ast.Assign)]
    return next(ast.literal_eval(node.value) for node in assignments if ast.unparse(node.targets[0]) == name)


def post(peer: Server, data: bytes) -> int:
    about = {"date": 1_767_225_600_000, "name": "one.jpg", "tag": "OK"}
    body = {"image": base64.b64encode(data).decode(), "image_data": about}
    return ask(peer, "POST", "/monitor/cam/image", body)[0]


def total(peer: Server) -> int:
    return ask(peer, "GET", "/total")[1]["total_counter"]


def test_plain_site_is_what_startproject_writes(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env=environment(DATA_DIR=str(tmp_path)), cwd=REPOSITORY,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    middleware, apps, debug = json.loads(done.stdout)
    assert middleware == written_by_startproject("MIDDLEWARE")
    assert apps == written_by_startproject("INSTALLED_APPS") + ADDED_APPS
    assert not debug


def test_picture_is_kept_with_its_thumbnail_and_counted(peer, picture, tmp_path):
    assert post(peer, picture) == 200
    assert total(peer) == 1
    kept = [path for path in (tmp_path / peer.name / "media").rglob("*") if path.is_file()]
    [original] = [path for path in kept if path.suffix != ".webp"]
    [thumbnail] = [path for path in kept if path.suffix == ".webp"]
    assert original.read_bytes() == picture
    assert Image.open(thumbnail).width == THUMBNAIL[0]


def test_half_a_picture_is_refused(peer, picture):
    assert post(peer, picture[: len(picture) // 2]) == 400
    assert post(peer, b"no picture") == 400
    assert total(peer) == 0


def test_unknown_token_is_refused(peer, picture):
    peer.token = "another"
    assert post(peer, picture) in (401, 403)
    assert total(peer) == 0
