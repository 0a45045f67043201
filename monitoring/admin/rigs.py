"""Rigs in the admin: where NINA answers, and how the connection is."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html

from monitoring.nina.link import link_of
from monitoring.nina.models import Rig
from monitoring.nina.verbs import change_rig
from sessionsite.accounts.admin_base import ScopedAdmin, caller_of

COUNTED = ("received", "accepted", "duplicates", "malformed", "unknown_types", "messages")


@admin.register(Rig)
class RigAdmin(ScopedAdmin):
    change_right = "admin"
    list_display = ("slug", "page", "status", "is_enabled", "is_public", "url", "site_zone", "newest_entry")
    list_select_related = ("monitor__organisation",)
    sortable_by = ()
    fields = ("slug", "url", "site_zone", "is_public", "is_enabled", "status", "counted", "newest_entry")
    readonly_fields = ("slug", "status", "counted", "newest_entry")

    @admin.display(description="page")
    def page(self, rig):
        return format_html('<a href="/rigs/{0}/">/rigs/{0}/</a>', rig.slug)

    @admin.display(description="connection")
    def status(self, rig):
        if not rig.url or not rig.is_enabled:
            return "not listened to"
        link = link_of(rig)
        return f"{link.status} since {link.since or 'the start'}"

    @admin.display(description="what came in")
    def counted(self, rig):
        return ", ".join(f"{rig.ingest.get(name, 0):,} {name.replace('_', ' ')}" for name in COUNTED)

    @admin.display(description="newest entry", ordering="last_seq")
    def newest_entry(self, rig):
        return f"{rig.last_seq:,}"

    def change_by_verb(self, request, obj, changes):
        change_rig(obj, by=caller_of(request).name, **changes)
