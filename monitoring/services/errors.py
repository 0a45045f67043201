"""What pictures and tags refuse."""

from sessionsite.common.errors import Conflict, DomainError, NoRoom, PreconditionFailed, Unprocessable


class NotStarted(Conflict):
    """Nothing runs on the monitor, so no picture of it is taken in."""

    code = "not_started"


class SessionOver(Conflict):
    """The session has ended and its window does not hold the picture's time."""

    code = "session_over"


class IdempotencyMismatch(Unprocessable):
    """The same idempotency key came with another picture before."""

    code = "idempotency_mismatch"


class DiskFull(NoRoom):
    """Free space is under the reserve: reading and stopping still work."""

    code = "disk_full"


class QuotaExceeded(NoRoom):
    """The monitor keeps as many bytes as it may."""

    code = "quota_exceeded"


class Unstorable(Unprocessable):
    """The database refused the row; the log says why."""

    code = "unstorable"


class BadReview(DomainError):
    code = "bad_review"


class RevisionMismatch(PreconditionFailed):
    """Somebody changed it first; the details hold both sides."""

    code = "revision_mismatch"
