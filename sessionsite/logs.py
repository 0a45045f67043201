"""Log lines on stderr: one line each, text or JSON, without query strings, tickets and tokens."""

import json
import logging
import re
from datetime import UTC, datetime

SECRETS = re.compile(
    r"(?i)(?<=/invite/)[\w-]{20,}|\b(ticket|token|secret|password)=[^&\s\"']+|\b(bearer|token)\s+[A-Za-z0-9_\-.]{16,}"
)


def scrub(text: str) -> str:
    """`text` with the values of tickets, tokens, passwords and invitations replaced by `***`."""
    return SECRETS.sub(_without_secret, text)


def _without_secret(found: re.Match) -> str:
    if found[1]:
        return f"{found[1]}=***"
    return f"{found[2]} ***" if found[2] else "***"


class ScrubSecrets(logging.Filter):
    """Rewrites each record so that no handler behind it sees a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (scrubbed := scrub(message)) != message:
            record.msg, record.args = scrubbed, None
        return True


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.000Z warning django.request text`, and below it a scrubbed traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_moment(record)} {record.levelname.lower()} {record.name} {record.getMessage()}"
        return f"{line}\n{scrub(trace)}" if (trace := _trace(self, record)) else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line: at, level, logger, message, and trace where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := _trace(self, record):
            entry["trace"] = scrub(trace)
        return json.dumps(entry, ensure_ascii=False)


def _moment(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""
