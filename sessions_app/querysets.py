"""Questions about sessions and their journal."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.db.models import BooleanField, F, Func, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from sessions_app.severity import IsSevere, Severity
from sessions_app.states import ACCEPTING, OPEN
from sessionsite.common.access import VisibleQuerySet
from sessionsite.common.few import aside, few, only_checked

# The very words of the index one_open_session_per_monitor: SQLite, which plans before it sees a parameter,
# would else read every session that a monitor ever had.
OPEN_SQL = "IN (" + ", ".join(f"'{state.value}'" for state in OPEN) + ")"


class SessionQuerySet(VisibleQuerySet):
    def open(self):
        is_open = Func(F("state"), template=f"%(expressions)s {OPEN_SQL}", output_field=BooleanField())
        return self.filter(is_open)

    def accepting(self):
        return self.open().filter(state__in=ACCEPTING)

    def newest_first(self):
        return self.order_by("-started_at", "-pk")

    def for_messages(self):
        """With everything that messages.session_json reads."""
        leases = self.model._meta.get_field("subscriber_leases").related_model
        theirs = leases.objects.filter(session=OuterRef("pk")).order_by().values("session")
        count = Subquery(theirs.annotate(readers=Sum("count")).values("readers"))
        rows = self.annotate(subscriber_count=Coalesce(count, 0))
        # Without `to_attr` Django makes a query set of its own for each row, a third of a page.
        return rows.select_related("organisation", "monitor").prefetch_related(
            Prefetch("devices", to_attr="its_devices"), Prefetch("label_counts", to_attr="its_label_counts")
        )

    def stale_for(self, age: timedelta):
        """Open monitor sessions that accepted nothing for `age`."""
        before = timezone.now() - age
        quiet = Q(last_item_at__lt=before) | Q(last_item_at__isnull=True, started_at__lt=before)
        return self.open().filter(quiet, kind="monitor")


class SessionEventQuerySet(QuerySet):
    def for_messages(self):
        """With everything that messages.event_json reads."""
        return self.select_related("session__monitor", "device")

    def visible_to(self, caller, right="read"):
        return (
            self.all() if caller.everywhere else self.filter(organisation__in=caller.organisation_ids(right))
        )

    def of_monitor(self, pk: int):
        """Notable entries of this monitor's sessions.

        They are found by the sessions while these are few, else on the way through all entries in order.
        """
        sessions = self.model._meta.get_field("session").related_model.objects
        keys = few(sessions.filter(monitor=pk).values_list("pk", flat=True))
        if keys is None:
            return self.notable().filter(aside(session__monitor=pk))
        return self.of_sessions(keys)

    def of_sessions(self, keys: Collection[int]):
        """Notable entries of these few sessions, of which each may have millions that are not."""
        # That every kind is after "" leads SQLite to the index that leaves those out.
        return only_checked(self).notable().filter(session__in=keys, kind__gt="")

    def notable(self):
        """What a person reads: not each picture, frame or box of a device; the index leaves them out."""
        return self.exclude(kind="images_added").exclude(kind="frame").exclude(kind="device_tags_changed")

    def of_severity(self, words: Collection[str]):
        """Entries of these severities; notable ones that are not just for information have an index."""
        rows = self if "info" in words else self.filter(IsSevere("kind", "detail"))
        return rows.alias(severity=Severity("kind", "detail")).filter(severity__in=words)

    def milestones(self):
        """What a timeline marks: notable, and no edit of a single picture; a partial index of the session."""
        return self.notable().exclude(kind="tags_changed").exclude(kind="image_changed")
