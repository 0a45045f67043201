"""Bytes per monitor and organisation, the rules, and when the disk is full."""

from __future__ import annotations

import orjson
from django.core.management.base import BaseCommand

from monitoring.disk import forecast
from monitoring.storage import storage_state
from sessionsite.accounts.models import Organisation


class Command(BaseCommand):
    help = "Say what is kept, by which rules, and when the disk is full at today's rate."

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="one JSON array, an object per organisation")

    def handle(self, *, json, **options):
        states = [storage_state(organisation) for organisation in Organisation.objects.order_by("slug")]
        if json:
            self.stdout.write(orjson.dumps(states).decode())
            return
        for state in states:
            pinned = state["pinned"]
            self.stdout.write(
                f"{state['organisation']}: {state['stored_bytes']:,} bytes; {rule_words(state['rule'])}; "
                f"pinned: {pinned['sessions']} sessions, {pinned['images']} pictures, "
                f"{pinned['size_bytes']:,} bytes"
            )
            for monitor in state["monitors"]:
                quota = f", quota {monitor['quota_bytes']:,}" if monitor["quota_bytes"] is not None else ""
                self.stdout.write(
                    f"  {monitor['slug']}: {monitor['stored_bytes']:,} bytes{quota}; {rule_words(monitor)}"
                )
        self.stdout.write(forecast().words)


def rule_words(rule: dict) -> str:
    words = []
    if rule["keep_days"] is not None:
        words.append(f"keeps {rule['keep_days']} days")
    if rule["keep_bytes"] is not None:
        words.append(f"keeps {rule['keep_bytes']:,} bytes")
    return ", ".join(words) or "no rule"
