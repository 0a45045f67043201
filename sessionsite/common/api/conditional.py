"""Versions in headers: If-Match guards a change, If-None-Match saves an answer that is known already."""

from __future__ import annotations

import hashlib
import re

import orjson
from django.utils.cache import patch_cache_control
from rest_framework.response import Response

from sessionsite.common.errors import DomainError, PreconditionRequired

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
    digest = hashlib.sha256(orjson.dumps(data if essence is None else essence)).hexdigest()[:20]
    tag = f'W/"{revision}-{digest}"'
    known = [part.strip() for part in request.headers.get("If-None-Match", "").split(",")]
    response = Response(status=304) if tag in known or "*" in known else Response(data)
    response["ETag"] = tag
    patch_cache_control(response, private=True, no_cache=True)
    return response
