"""Questions about accounts."""

from django.db.models import Q
from django.utils import timezone

from sessionsite.common.access import Caller, VisibleQuerySet


class OrganisationQuerySet(VisibleQuerySet):
    organisation_path = "pk"


class ApiTokenQuerySet(VisibleQuerySet):
    def shown_to(self, caller: Caller):
        """All tokens where the caller is an admin; elsewhere only the caller's own."""
        if caller.everywhere:
            return self.all()
        own = Q(owner_id=caller.user_id) if caller.user_id else Q(pk=caller.token_id)
        own &= Q(organisation__in=caller.organisation_ids("read"))
        return self.filter(Q(organisation__in=caller.organisation_ids("admin")) | own)


class InviteQuerySet(VisibleQuerySet):
    def usable(self):
        """Invitations that may still be accepted."""
        return self.filter(used_at=None, withdrawn_at=None, expires_at__gt=timezone.now())
