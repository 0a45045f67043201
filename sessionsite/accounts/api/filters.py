"""Filters of the audit trail, for REST and for the page."""

from __future__ import annotations

from django_filters import rest_framework as filters

from sessionsite.accounts.api.organisations import OrganisationFilters
from sessionsite.common.api.filters import MomentFilter


class AuditFilters(OrganisationFilters):
    object_type = filters.CharFilter(max_length=32)
    object_key = filters.CharFilter(max_length=100)
    actor = filters.CharFilter(max_length=200)
    verb = filters.CharFilter(max_length=64)
    after = MomentFilter(field_name="at", lookup_expr="gte", help_text="From this time on.")
    before = MomentFilter(field_name="at", lookup_expr="lt")
