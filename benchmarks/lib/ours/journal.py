"""How many entries per second the journal takes without HTTP: one per transaction, and many."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

from django.db import transaction

import benchmarks.lib.ours.ready  # noqa: F401 - before the models
from monitoring.services import create_monitor, start_monitor
from sessions_app.services import NewMarker, journal, mark_all
from sessionsite.accounts.models import Organisation
from sessionsite.startup import prepare


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--batch", type=int, default=100)
    options = parser.parse_args()
    prepare()
    organisation = Organisation.objects.get(slug="default")
    session = start_monitor(create_monitor(organisation, slug="journal", by="benchmark"), by="benchmark")
    rates = {
        "one per transaction": rate(lambda: append(session, 1), 1, options.seconds),
        "many per transaction": rate(lambda: append(session, options.batch), options.batch, options.seconds),
        "many per call": rate(lambda: mark(session, options.batch), options.batch, options.seconds),
    }
    session.refresh_from_db()
    if session.events.count() != session.last_seq:
        raise RuntimeError("the journal has a gap")
    print(json.dumps(rates))


def rate(write: Callable[[], None], count: int, seconds: float) -> float:
    """Entries per second when each call of `write` adds so many."""
    began, written = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        write()
        written += count
    return written / (time.monotonic() - began)


def append(session, count: int) -> None:
    """One after the other in one transaction, as a verb does that has more than one thing to tell."""
    with transaction.atomic():
        for _ in range(count):
            journal.append(session, "marker", detail={"label": "benchmark"}, by="benchmark")


def mark(session, count: int) -> None:
    """With one call, as imports and the lane do."""
    mark_all([NewMarker(session, label="benchmark", by="benchmark") for _ in range(count)])


if __name__ == "__main__":
    main()
