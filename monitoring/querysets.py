"""Questions about monitors, pictures and tags."""

from __future__ import annotations

from django.db.models import Prefetch

from sessionsite.common.access import VisibleQuerySet


class MonitorQuerySet(VisibleQuerySet):
    def present(self):
        """Not archived."""
        return self.filter(archived_at__isnull=True)

    def for_messages(self):
        """With everything that state.monitor_states reads from the row itself."""
        return self.select_related("organisation", "dataset", "current_session")


class ImageQuerySet(VisibleQuerySet):
    def kept(self):
        """Not deleted."""
        return self.filter(deleted_at__isnull=True)

    def reviewed(self):
        """Not deleted and not unreviewed; a partial index of the session."""
        return self.kept().exclude(review="unreviewed")

    def for_messages(self):
        """With everything that messages.image_json reads."""
        from monitoring.models import Tag  # models needs this module first

        tags = Prefetch("tags", queryset=Tag.objects.order_by("pk"), to_attr="shown_tags")
        return self.select_related("monitor", "session", "dataset").prefetch_related(tags)

    def newest_first(self):
        return self.order_by("-received_at", "-pk")


class TagQuerySet(VisibleQuerySet):
    organisation_path = "image__organisation"


class TagChangeQuerySet(VisibleQuerySet):
    organisation_path = "image__organisation"

    def of_boxes(self):
        """Without the edits of a whole picture: what a replay of its boxes reads."""
        return self.exclude(tag_key="")
