"""How many entries per second the journal takes without HTTP: one per transaction, and many."""

from __future__ import annotations

import argparse
import json
import time

from django.db import transaction

import benchmarks.lib.ours.ready  # noqa: F401 - before the models
from monitoring.services import create_monitor, start_monitor
from sessions_app.services import journal
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
    rates = {str(size): rate(session, size, options.seconds) for size in (1, options.batch)}
    session.refresh_from_db()
    if session.events.count() != session.last_seq:
        raise RuntimeError("the journal has a gap")
    print(json.dumps(rates))


def rate(session, per_transaction: int, seconds: float) -> float:
    """Entries per second with so many of them in one transaction."""
    began, count = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        with transaction.atomic():
            for _ in range(per_transaction):
                journal.append(session, "marker", detail={"label": "benchmark"}, by="benchmark")
        count += per_transaction
    return count / (time.monotonic() - began)


if __name__ == "__main__":
    main()
