"""POST /api/v1/monitors/<slug>/images/ in the fast lane: the reading and the answers of the view."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from django.core.handlers.asgi import ASGIRequest
from rest_framework.request import Request

from monitoring.api.uploads import UPLOAD_PARSERS, added_headers, added_json, added_status, new_image
from sessionsite.common.api.errors import translated
from sessionsite.common.dialects import Refusal

if TYPE_CHECKING:
    from monitoring.ingest.door import Entry
    from monitoring.ingest.lane import Upload
    from monitoring.services.images import Added, NewImage


class NativePictures:
    pattern = re.compile(r"/api/v1/monitors/(?P<slug>[a-z0-9-]{1,64})/images/")

    def read(self, upload: Upload, entry: Entry) -> NewImage:
        """Raises what the view's reading raises, as a DomainError."""
        parsers = [parser() for parser in UPLOAD_PARSERS]
        plain = ASGIRequest(upload.scope, io.BytesIO(upload.body))
        plain.META["CONTENT_LENGTH"] = str(
            len(upload.body)
        )  # a chunked body says none and would count as empty
        request = Request(plain, parsers=parsers)
        try:
            return new_image(request, monitor=entry.monitor, author=entry.caller.name)
        except Exception as exc:
            error = translated(exc)
            if error is None:
                raise
            raise error from exc

    def accepted(self, added: Added) -> Refusal:
        headers = [(name.lower().encode(), value.encode()) for name, value in added_headers(added).items()]
        return Refusal(added_status(added), added_json(added), tuple(headers), closes=False)
