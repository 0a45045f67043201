"""Times: aware UTC inside, ISO-8601 with milliseconds and Z outside, bounds on what comes from elsewhere."""

from datetime import UTC, datetime, timedelta

from .errors import DomainError, quoted

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # seconds read as milliseconds fall into 1970: refused
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
MAX_NS = 2**63 - 1  # a signed 64-bit column; the year 2262
_US = timedelta(microseconds=1)
_MS = timedelta(milliseconds=1)


class BadTime(DomainError):
    """A time that cannot be meant."""

    code = "bad_time"


def now() -> datetime:
    """The present moment, aware UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """`2026-11-21T02:15:00.123Z`; microseconds are cut, not rounded. Raises ValueError for a naive time."""
    if moment.tzinfo is UTC:  # as all that come from the database: a third of the time
        return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
    _require_aware(moment)
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def parse_iso(text: object) -> datetime:
    """An ISO-8601 time with an offset, as aware UTC between EARLIEST and LATEST. Raises BadTime."""
    if not isinstance(text, str):
        raise BadTime("the time must be ISO-8601 text")
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise BadTime("the time needs an offset or Z", value=quoted(text))
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise BadTime("not an ISO-8601 time", value=quoted(text)) from exc
    return _within_bounds(moment, quoted(text))


def from_epoch_ms(value: object) -> datetime:
    """Milliseconds since 1970 as aware UTC between EARLIEST and LATEST. Raises BadTime."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadTime("the time must be a number of milliseconds since 1970")
    if not to_epoch_ms(EARLIEST) <= value < to_epoch_ms(LATEST):
        raise BadTime("the time must be in milliseconds since 1970, from 2000 to 2099", value=_short(value))
    return EPOCH + timedelta(milliseconds=value)


def to_epoch_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    _require_aware(moment)
    return (moment - EPOCH) // _MS


def check_ns(value: object) -> int:
    """`value` when it is a whole number of nanoseconds from 0 to MAX_NS. Raises BadTime."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadTime("the time must be a whole number of nanoseconds since 1970")
    if not 0 <= value <= MAX_NS:
        raise BadTime("nanoseconds since 1970 must lie between 0 and 2^63 - 1", value=_short(value))
    return value


def from_ns(value: object) -> datetime:
    """Nanoseconds since 1970 as aware UTC, cut to microseconds. Raises BadTime."""
    return EPOCH + timedelta(microseconds=check_ns(value) // 1000)


def to_ns(moment: datetime) -> int:
    """Nanoseconds since 1970, exact to the microsecond. Raises BadTime before 1970 and after 2262."""
    _require_aware(moment)
    return check_ns((moment - EPOCH) // _US * 1000)


def _within_bounds(moment: datetime, shown: str) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise BadTime("the time must lie in the years 2000 to 2099", value=shown)
    return moment


def _require_aware(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is not a moment")


def _short(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else f"{value:d}" if abs(value) < 1 << 128 else "huge"
