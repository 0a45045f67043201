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


class ReviewEnded(Conflict):
    """The picture was accepted or rejected: read-only until its review is reopened."""

    code = "review_ended"


class NothingToUndo(Conflict):
    """The caller has no edit of this picture left to undo, or none undone to redo."""

    code = "nothing_to_undo"


class TagTaken(Conflict):
    """The key of a new box was used before, on another picture or by a box that is deleted."""

    code = "tag_taken"


class TermOver(Conflict):
    """It was deleted more than DELETED_DAYS ago."""

    code = "term_over"


class TooManyPictures(DomainError):
    """A bulk verb takes a bounded number of pictures; narrower filters help."""

    code = "too_many_pictures"
