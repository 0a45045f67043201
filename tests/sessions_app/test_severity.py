"""How severe an entry is, is the same in Python and in SQL."""

import pytest

from sessions_app.models import SessionEvent
from sessions_app.services import append
from sessions_app.severity import SEVERITIES, SEVERITY_WORDS, IsSevere, Severity, severity_of

pytestmark = pytest.mark.django_db


def test_the_database_finds_each_entry_under_the_severity_that_its_message_has(session):
    for kind in (*SEVERITIES, "a_kind_of_its_own"):
        for detail in ({}, {"severity": None}, *({"severity": word} for word in SEVERITY_WORDS)):
            append(session, kind, detail=detail)
    said = SessionEvent.objects.values_list(
        "kind", "detail", Severity("kind", "detail"), IsSevere("kind", "detail")
    )
    assert len(said) > 5 * len(SEVERITIES)
    for kind, detail, severity, is_severe in said:
        assert (severity, is_severe) == (severity_of(kind, detail), severity_of(kind, detail) != "info")


def test_words_are_found_together_as_they_are_alone(session):
    for kind in SEVERITIES:
        append(session, kind)
    entries = SessionEvent.objects.order_by("pk")
    alone = {word: [entry.pk for entry in entries.of_severity([word])] for word in SEVERITY_WORDS}
    assert all(alone.values())
    assert [entry.pk for entry in entries.of_severity(SEVERITY_WORDS)] == sorted(sum(alone.values(), []))
    assert [entry.pk for entry in entries.of_severity(["error", "warning"])] == sorted(
        alone["error"] + alone["warning"]
    )
