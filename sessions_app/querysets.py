"""Questions about sessions and their journal."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from sessions_app.states import ACCEPTING, OPEN
from sessionsite.common.access import VisibleQuerySet


class SessionQuerySet(VisibleQuerySet):
    def open(self):
        return self.filter(state__in=OPEN)

    def accepting(self):
        return self.filter(state__in=ACCEPTING)

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

    def notable(self):
        """What a person reads: not each picture, frame or box of a device; the index leaves them out."""
        return self.exclude(kind="images_added").exclude(kind="frame").exclude(kind="device_tags_changed")

    def milestones(self):
        """What a timeline marks: notable, and no edit of a single picture; a partial index of the session."""
        return self.notable().exclude(kind="tags_changed").exclude(kind="image_changed")
