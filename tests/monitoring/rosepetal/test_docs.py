"""docs/rosepetal.md names every address and every published answer."""

import json
import re
from pathlib import Path

import pytest

from monitoring.api import rosepetal_urls
from monitoring.api.rosepetal import datasets, monitors
from monitoring.api.rosepetal.base import NoSuchAddress

from .conftest import PAYLOADS

TEXT = (Path(__file__).parents[3] / "docs" / "rosepetal.md").read_text()


def addresses() -> list[str]:
    """The routes as people write them."""
    found = []
    for route in rosepetal_urls.urlpatterns:
        if route.callback.view_class is NoSuchAddress:
            continue
        path = re.sub(r"\(\?P<(slug|dataset_id|name)>\[\^/\]\+\)", "<id>", route.pattern.regex.pattern)
        path = path.replace(r"(?P<uri>[\s\S]*)", "<uri>")
        found.append("/" + path.removeprefix("^").removesuffix(r"\Z").removesuffix("/?").replace("\\", ""))
    return found


@pytest.mark.parametrize("address", addresses())
def test_every_address_is_described(address):
    assert re.search(rf"(GET|POST) {re.escape(address)}[`?]", TEXT)


@pytest.mark.parametrize("name", sorted(path.stem for path in PAYLOADS.glob("*.json")))
def test_every_published_answer_is_shown(name):
    answer = json.loads((PAYLOADS / f"{name}.json").read_text())["answer"]
    answer = answer.replace("{id}", "im_…").replace('"name":"dataset-abc123"', '"name":"…"')
    assert re.sub(r'"dataset":"http[^"]*"', '"dataset":"<address>"', answer) in TEXT


def test_the_limits_are_those_of_the_code():
    assert f"at most {datasets.ZIP_MAX} ids" in TEXT
    assert f"`limit` is 1 to {monitors.SESSIONS_MAX}" in TEXT
