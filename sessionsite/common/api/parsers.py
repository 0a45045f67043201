"""JSON in: strict, bounded in size and depth, nothing in it that a database could not hold."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from sessionsite.common.errors import BodyTooLarge, DomainError

MAX_DEPTH = 32
JSON_BYTES = 1024 * 1024


class TooDeep(DomainError):
    code = "too_deep"


class BadText(DomainError):
    """Text with NUL characters, which PostgreSQL cannot keep."""

    code = "bad_text"


class BadNumber(DomainError):
    code = "bad_number"


class StrictJSONParser(BaseParser):
    """JSON of at most 1 MiB and 32 levels. NaN, lone surrogates, NUL and huge numbers are refused."""

    media_type = "application/json"
    max_bytes = JSON_BYTES

    def parse(self, stream, media_type=None, parser_context=None):
        return strict_json(bounded(stream, self.limit()))

    def limit(self) -> int:
        return self.max_bytes


class LargeJSONParser(StrictJSONParser):
    """As StrictJSONParser, of at most MAX_BODY_BYTES: for pictures in base64."""

    def limit(self) -> int:
        return settings.MAX_BODY_BYTES


def strict_json(body: bytes):
    """What the JSON says. Raises ParseError, TooDeep, BadText, BadNumber."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"This is not JSON: {error}") from error
    check_json(value)
    return value


def bounded(stream, limit: int) -> bytes:
    """The whole of `stream`. Raises TooLarge when it has more than `limit` bytes."""
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise BodyTooLarge(limit)
    return body


def check_json(value) -> None:
    """Raises TooDeep, BadText or BadNumber for what orjson accepts and we do not."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return
    raise TooDeep(f"The JSON is nested more than {MAX_DEPTH} levels deep.", limit=MAX_DEPTH)


def _inner(value) -> Iterator:
    """The containers and scalars directly inside `value`, which is checked itself when it is a scalar."""
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, str):
        if "\0" in value:
            raise BadText("Text must not hold NUL characters.")
    elif isinstance(value, float):
        # orjson makes a float of an integer of more than 64 bits: the bounds are those of integers.
        _check_number(-(2**63) < value < 2**63)
    elif isinstance(value, int):
        _check_number(-(2**63) <= value < 2**63)


def _check_number(is_within: bool) -> None:
    if not is_within:
        raise BadNumber("Numbers lie between -2^63 and 2^63 - 1.")
