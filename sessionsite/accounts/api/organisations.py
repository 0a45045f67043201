"""Which organisation a request means; every app's REST asks here."""

from __future__ import annotations

from django_filters import rest_framework as filters

from sessionsite.accounts.models import Organisation
from sessionsite.common.access import Caller
from sessionsite.common.api.permissions import lacks
from sessionsite.common.errors import DomainError, Missing


class OrganisationRequired(DomainError):
    """The caller belongs to several organisations and named none."""

    code = "organisation_required"


def organisation_for(caller: Caller, slug: str | None, right: str) -> Organisation:
    """The organisation `slug`, or the only one where the caller holds `right`.

    Raises Missing for an unknown and a foreign one, NotAllowed without the right, OrganisationRequired.
    """
    if slug:
        organisation = Organisation.objects.filter(slug=slug).first()
        if organisation is None or not any(caller.may(one, organisation.pk) for one in ("read", right)):
            raise Missing("There is no such organisation, or it is not yours.")
        if not caller.may(right, organisation.pk):
            raise lacks(right)
        return organisation
    candidates = list(Organisation.objects.visible_to(caller, right).order_by("pk")[:2])
    if not candidates:
        raise lacks(right)
    if len(candidates) > 1:
        raise OrganisationRequired("Say which organisation this is for.", field="organisation")
    return candidates[0]


def organisation_to_show(caller: Caller, slug: str | None) -> Organisation:
    """The organisation `slug`, or the caller's first one. Raises Missing, NotAllowed."""
    first = None if slug else Organisation.objects.visible_to(caller).order_by("pk").first()
    return first or organisation_for(caller, slug, "read")


def only_organisation(queryset, caller: Caller):
    """`queryset` of a superuser, narrowed where the server has one organisation only.

    It changes no result: the indexes of the growing tables begin with the organisation.
    """
    if not caller.everywhere:
        return queryset
    pks = list(Organisation.objects.values_list("pk", flat=True)[:2])
    return queryset.filter(organisation_id=pks[0]) if len(pks) == 1 else queryset


class OrganisationFilters(filters.FilterSet):
    """`?organisation=slug`, for rows that have an organisation.

    owners: the organisations that the rows belong to, where no caller asks by REST.
    """

    organisation = filters.CharFilter(method="of_organisation", max_length=64)

    def __init__(self, *args, owners: set[int] | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self._owners = owners

    def of_organisation(self, queryset, name, value):
        # The key first, so that the index that begins with the organisation is used.
        pk = Organisation.objects.filter(slug=value).values_list("pk", flat=True).first()
        return queryset.none() if pk is None else queryset.filter(organisation_id=pk)

    def owners(self) -> set[int]:
        """The organisations whose rows may be read: indexes begin with one."""
        if self._owners is not None:
            return self._owners
        caller: Caller = self.request.auth
        if caller.everywhere:
            return set(Organisation.objects.values_list("pk", flat=True))
        return caller.organisation_ids()
