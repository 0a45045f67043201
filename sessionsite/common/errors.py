"""What the domain refuses, in families that every face can translate."""

from typing import Any


class DomainError(Exception):
    """A rule of the domain refused. Faces translate it; nobody in between catches it.

    The message is for people; `code` is for programs and never changes; `details` holds JSON values.
    """

    code = "invalid"
    status = 400

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return self.message

    def as_json(self) -> dict[str, Any]:
        """The one error body of this server's own interfaces.

        A refusal that names one field says so where forms look for it, in `details.fields`.
        """
        details = self.details
        if isinstance(field := details.get("field"), str):
            details = {**details, "fields": {field: [self.message]}}
        return {"error": self.message, "code": self.code, "details": details}


class NotAuthenticated(DomainError):
    """No credential came with the request, or a dead one."""

    code, status = "not_authenticated", 401


class NotAllowed(DomainError):
    """The caller is known, the right is missing."""

    code, status = "not_allowed", 403


class Missing(DomainError):
    """No such thing, or not the caller's: both look the same from outside."""

    code, status = "not_found", 404


class Conflict(DomainError):
    """The thing is in a state that does not permit this."""

    code, status = "conflict", 409


class PreconditionFailed(DomainError):
    """The caller changed an older version than the current one."""

    code, status = "precondition_failed", 412


class TooLarge(DomainError):
    """The input is over a limit; the details name the limit."""

    code, status = "too_large", 413


class BodyTooLarge(TooLarge):
    """A request's body, by its declared length or by what has arrived of it."""

    code = "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request is over {limit_bytes} bytes.", limit_bytes=limit_bytes)


class BodyTooSlow(DomainError):
    """Nothing more of a request's body came for long: its client has probably vanished."""

    code, status = "body_too_slow", 408


class Unprocessable(DomainError):
    """Well-formed, but it contradicts what was accepted before."""

    code, status = "unprocessable", 422


class PreconditionRequired(DomainError):
    """The change must name the version it was made from."""

    code, status = "precondition_required", 428


class Busy(DomainError):
    """Not now; the same request may succeed after `retry_after_s` seconds (the Retry-After header)."""

    code, status = "busy", 503

    def __init__(self, message: str, *, retry_after_s: int = 1, **details: Any) -> None:
        super().__init__(message, retry_after_s=retry_after_s, **details)
        self.retry_after_s = retry_after_s


class RateLimited(DomainError):
    """The caller has asked too often; the details name the limit."""

    code, status = "rate_limited", 429

    def __init__(self, message: str, *, retry_after_s: int, **details: Any) -> None:
        super().__init__(message, retry_after_s=retry_after_s, **details)
        self.retry_after_s = retry_after_s


class NoRoom(DomainError):
    """The disk, or a share of it, is full: reading and stopping still work."""

    code, status = "disk_full", 507


def quoted(text: str, limit: int = 64) -> str:
    """The head of a client's text for `details`: at most `limit` characters, always encodable."""
    return text[:limit].encode("utf-8", "replace").decode()
