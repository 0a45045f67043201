"""What Rosepetal clients read back: four error shapes live side by side, literal to the published pages.

Errors that are met before any view has run (a body over the limit, a lane that refuses) have the same shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from monitoring.imaging import NotAPicture
from monitoring.services.errors import NotStarted
from monitoring.services.images import Added
from monitoring.services.monitors import AlreadyStarted, AlreadyStopped
from sessionsite.common.dialects import REALM, Refusal, register_dialect
from sessionsite.common.errors import DomainError, Missing, NotAllowed, NotAuthenticated

MONITOR_DENIED = "Monitor not found or access denied"
FILE_DENIED = "Permission denied or file not found"
DATASET_DENIED = "Dataset not found or access denied"
TAGS_FAILED = "Failed to update tags"

CONFLICTS = (AlreadyStarted, AlreadyStopped, NotStarted)  # 200: the sample client reads the body alone


@dataclass(frozen=True)
class Answer:
    """A body as JSON with its status; keys in the published order."""

    body: dict | list
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return orjson.dumps(self.body)


def result(text: str, *, error: bool) -> dict:
    """The body of start and stop."""
    return {"data": {"result": text, "error": error}}


def _start_stop(text: str) -> dict:
    return {"data": {"error": True, "result": text}} if text == MONITOR_DENIED else result(text, error=True)


def _enveloped(text: str) -> dict:
    return {"data": {"error": True, "result": text}}


def _tags(text: str) -> dict:
    return {"error": TAGS_FAILED, "details": text}


def _status(text: str) -> dict:
    return {"error": True, "status": text}


def _nested(text: str) -> dict:
    return {"status": text, "result": {"error": True}}


@dataclass(frozen=True)
class Shape:
    """How one family of addresses refuses.

    denied: its one text for no credential, no right, foreign and unknown.
    """

    body: Callable[[str], dict]
    denied: str
    prefix: str = ""

    def refuse(self, error: DomainError) -> Answer:
        """The answer for a refusal of the domain."""
        headers = {}
        if isinstance(error, (Missing, NotAllowed, NotAuthenticated)):
            text = self.denied
        elif isinstance(error, NotAPicture):
            text = f"{self.prefix}image not found"
            headers["X-Error-Detail"] = error.message.encode("ascii", "replace").decode()
        else:
            text = f"{self.prefix}{error.message}"
        if isinstance(error, NotAuthenticated):
            headers["WWW-Authenticate"] = REALM
        if (retry_after_s := getattr(error, "retry_after_s", None)) is not None:
            headers["Retry-After"] = str(retry_after_s)
        return Answer(self.body(text), 200 if isinstance(error, CONFLICTS) else error.status, headers)

    def as_refusal(self, error: DomainError) -> Refusal:
        """The same answer in the form that lanes outside the request stack send."""
        answer = self.refuse(error)
        headers = tuple((name.lower().encode(), value.encode()) for name, value in answer.headers.items())
        return Refusal(answer.status, answer.body, headers)


START_STOP = Shape(_start_stop, MONITOR_DENIED, "Error: ")
ENVELOPE = Shape(_enveloped, MONITOR_DENIED, "Error: ")
TAGS = Shape(_tags, MONITOR_DENIED)
FILE = Shape(_status, FILE_DENIED)
DETECT = Shape(_enveloped, FILE_DENIED, "Error: ")
ZIP = Shape(_status, DATASET_DENIED)
CSV = Shape(_nested, DATASET_DENIED)


# Addresses whose body can be refused before a view runs; the first prefix that fits counts.
DIALECTS = {
    "/monitor/updateTags": TAGS,
    "/monitor/": ENVELOPE,
    "/image/detect/": DETECT,
    "/image/": FILE,
    "/dataset/": ZIP,
}


def register_dialects() -> None:
    """Errors that are met before any view has run have these shapes too; called once, at start."""
    for prefix, shape in DIALECTS.items():
        register_dialect(prefix, shape.as_refusal)


def image_answer(added: Added | DomainError) -> Answer:
    """What the sender of a picture gets."""
    if isinstance(added, DomainError):
        return ENVELOPE.refuse(added)
    return Answer({"data": {"error": False, "result": "Added image", "id": added.key}})
