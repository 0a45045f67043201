"""Who may do what: roles, rights, the caller of a request, and QuerySets that show only what is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import models

RIGHTS = ("read", "ingest", "control", "annotate", "review", "admin")
ROLE_RIGHTS: dict[str, frozenset[str]] = {
    "viewer": frozenset({"read"}),
    "operator": frozenset({"read", "ingest", "control", "annotate"}),
    "reviewer": frozenset({"read", "ingest", "control", "annotate", "review"}),
    "admin": frozenset(RIGHTS),
}
ROLES = tuple(ROLE_RIGHTS)
NO_RIGHTS: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Caller:
    """Someone who asks, with the rights they hold in each organisation.

    rights: organisation pk -> rights held there. everywhere: a superuser, all rights in every organisation.
    name goes into journals and audit rows.
    """

    name: str
    rights: Mapping[int, frozenset[str]] = field(default_factory=dict)
    user_id: int | None = None
    token_id: int | None = None
    everywhere: bool = False

    def may(self, right: str, organisation_id: int | None) -> bool:
        return self.everywhere or right in self.rights.get(organisation_id or 0, NO_RIGHTS)

    def organisation_ids(self, right: str = "read") -> set[int]:
        """The organisations where this right is held; meaningless when `everywhere` is set."""
        return {pk for pk, rights in self.rights.items() if right in rights}


NOBODY = Caller(name="nobody")


def limited_rights(*limits: frozenset[str]) -> frozenset[str]:
    """The rights that every one of the limits allows."""
    return frozenset(RIGHTS).intersection(*limits)


class VisibleQuerySet(models.QuerySet):
    """Rows of an organisation-owned model. `organisation_path` names the lookup that leads to the owner."""

    organisation_path = "organisation"

    def visible_to(self, caller: Caller, right: str = "read"):
        """Only rows of organisations where the caller holds `right`."""
        if caller.everywhere:
            return self.all()
        return self.filter(**{f"{self.organisation_path}__in": caller.organisation_ids(right)})
