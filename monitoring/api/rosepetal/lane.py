"""POST /monitor/<id>/image in the fast lane: the same reading and the same answers as the view."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from monitoring.api.rosepetal.reading import new_image
from monitoring.api.rosepetal.shapes import image_answer
from sessionsite.common.dialects import Refusal

if TYPE_CHECKING:
    from monitoring.ingest.door import Entry
    from monitoring.ingest.lane import Upload
    from monitoring.services.images import Added, NewImage


class RosepetalPictures:
    pattern = re.compile(r"/monitor/(?P<slug>[a-z0-9-]{1,64})/image/?")

    def read(self, upload: Upload, entry: Entry) -> NewImage:
        key = upload.headers.get("idempotency-key")
        return new_image(upload.body, entry.monitor, author=entry.caller.name, idempotency_key=key)

    def accepted(self, added: Added) -> Refusal:
        answer = image_answer(added)
        return Refusal(answer.status, answer.body, closes=False)
