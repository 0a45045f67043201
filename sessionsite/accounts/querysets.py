"""Questions about accounts."""

from django.db.models import Q
from django.utils import timezone

from sessionsite.common.access import VisibleQuerySet


class OrganisationQuerySet(VisibleQuerySet):
    organisation_path = "pk"


class ApiTokenQuerySet(VisibleQuerySet):
    def usable(self):
        """Tokens that open a door now: not revoked, not expired, their owner active."""
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()),
            Q(owner__isnull=True) | Q(owner__is_active=True),
            revoked_at__isnull=True,
        )
