"""Every operation of the schema is asked with what fits it and what does not: no 5xx, no page, no surprise.

Each request runs in a transaction that is undone; most of them name things that exist.
"""

from __future__ import annotations

import json
import os
import zlib
from functools import cache

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.access.world import World, build

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))  # per operation and mode
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@cache
def document() -> dict:
    from drf_spectacular.generators import SchemaGenerator

    from sessionsite.common.api.renderers import StrictJSONRenderer

    return json.loads(StrictJSONRenderer().render(SchemaGenerator().get_schema(request=None, public=True)))


def operations() -> list[tuple[str, str]]:
    return [
        (path, method)
        for path, item in document()["paths"].items()
        for method in item
        if method != "parameters"
    ]


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), transaction.atomic():
        yield build()
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def api():
    """The schema with the site behind it, in this thread and on the connection of the test."""
    schema = schemathesis.openapi.from_dict(document())
    schema.app = get_wsgi_application()
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schema
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def name_things(case, world: World) -> None:
    """What stands between { and } in the address is there, three times out of four."""
    if zlib.crc32(json.dumps(case.path_parameters, default=str).encode()) % 4 == 0:
        return
    first = case.path.split("/")[3]
    names = {
        "slug": first[:-1],
        "key": first[:-1],
        "device": "device",
        "username": "member",
        "invite": "invite_key",
        "evening": "evening",
        "batch": "batch",
    }
    for parameter in case.path_parameters or {}:
        case.path_parameters[parameter] = world.names[names[parameter]]


@pytest.mark.django_db
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("path", "method"), operations(), ids=lambda value: value)
def test_no_request_is_too_much_for_an_operation(api, world, path, method, mode):
    operation = api[path][method.upper()]
    caller = next(who for who in world.everybody if who.name == "admin's token")
    header = caller.client.defaults["HTTP_AUTHORIZATION"]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case) -> None:
        name_things(case, world)
        with transaction.atomic():
            response = case.call(headers={"Authorization": header})
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 400:
            assert set(json.loads(response.content)) == {"error", "code", "details"}

    ask()
