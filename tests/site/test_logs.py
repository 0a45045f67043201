"""Log lines: one line, no secrets, in text or JSON."""

import json
import logging

import pytest

from sessionsite.logs import JsonFormatter, ScrubSecrets, TextFormatter


def record(message: str, *args, exc_info=None) -> logging.LogRecord:
    made = logging.LogRecord("x.y", logging.WARNING, "f.py", 1, message, args, exc_info)
    assert ScrubSecrets().filter(made)
    return made


@pytest.mark.parametrize(
    "message",
    [
        "GET /stream/monitor:a?ticket=Zm9vYmFyYmF6cXV4 200",
        "GET /x?a=1&token=Zm9vYmFyYmF6cXV4&b=2",
        "header Authorization: Bearer Zm9vYmFyYmF6cXV4",
        "header Authorization: Token Zm9vYmFyYmF6cXV4",
        "password=Zm9vYmFyYmF6cXV4",
    ],
)
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_secrets_never_reach_a_line(formatter, message):
    assert "Zm9v" not in formatter.format(record(message))
    assert "Zm9v" not in formatter.format(record("%s", message))


def test_a_traceback_is_scrubbed_too():
    try:
        raise ValueError("ticket=Zm9vYmFyYmF6cXV4")
    except ValueError as exc:
        made = record("failed", exc_info=(ValueError, exc, exc.__traceback__))
    for formatter in (TextFormatter(), JsonFormatter()):
        line = formatter.format(made)
        assert "ValueError" in line
        assert "Zm9v" not in line


def test_a_json_line_is_one_object():
    line = JsonFormatter().format(record("two\nlines %d", 7))
    assert "\n" not in line
    assert json.loads(line) == {
        "at": json.loads(line)["at"],
        "level": "warning",
        "logger": "x.y",
        "message": "two\nlines 7",
    }


def test_ordinary_text_stays_as_it_is():
    assert TextFormatter().format(record("3 of %d done", 4)).endswith("Z warning x.y 3 of 4 done")
