"""Versions in headers: If-Match guards a change, If-None-Match saves an answer that is known already."""

from __future__ import annotations

import hashlib
import re

import orjson
from rest_framework.response import Response

from sessionsite.common.errors import DomainError, PreconditionRequired

CACHE_CONTROL = "private, no-cache"  # keep it, and ask each time
_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"|(\d{1,18})', re.ASCII)


class BadIfMatch(DomainError):
    code = "bad_if_match"


def revision_etag(revision: int) -> str:
    return f'"{revision}"'


def if_match(request, *, required: bool, current: int) -> int | None:
    """The revision that the change was made from; `current` for `*`, None when not given and not required.

    A proxy that compresses turns `"7"` into `W/"7"`: both count. Raises PreconditionRequired, BadIfMatch.
    """
    header = request.headers.get("If-Match", "").strip()
    if not header:
        if required:
            raise PreconditionRequired("Say in If-Match which revision you changed.", current=current)
        return None
    if header == "*":
        return current
    found = _ETAG.fullmatch(header)
    if found is None:
        raise BadIfMatch('If-Match holds one revision, such as "7".')
    return int(found[1] or found[2])


def with_etag(request, data: dict, *, revision: int, essence=None) -> Response:
    """`data`, or 304 when the caller has it. The tag covers revision and content: some of it moves by itself.

    essence: what decides whether two answers say the same, where that is less than all of `data`.
    """
    tag = etag_of(revision, data if essence is None else essence)
    is_same = is_known(request.headers.get("If-None-Match", ""), tag)
    response = Response(status=304) if is_same else Response(data)
    response["ETag"], response["Cache-Control"] = tag, CACHE_CONTROL
    return response


def etag_of(revision: int, essence) -> str:
    """A weak tag of a revision and of what is said with it."""
    return f'W/"{revision}-{hashlib.sha256(orjson.dumps(essence)).hexdigest()[:20]}"'


def is_known(if_none_match: str, tag: str) -> bool:
    """Whether the caller has the answer of this tag."""
    known = [part.strip() for part in if_none_match.split(",")]
    return tag in known or "*" in known
