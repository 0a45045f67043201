"""Devices in the admin: registered, changed, removed, given tokens."""

from __future__ import annotations

from django.contrib import admin

from devices import services
from devices.models import Device
from sessionsite.accounts.admin import issued
from sessionsite.accounts.admin_base import ScopedAdmin, caller_of
from sessionsite.accounts.admin_parts import age
from sessionsite.accounts.models import ApiToken
from sessionsite.common.errors import DomainError


@admin.register(Device)
class DeviceAdmin(ScopedAdmin):
    add_right = change_right = delete_right = "admin"
    list_display = ("name", "key", "type", "slot", "capability_list", "last_seen", "organisation")
    list_select_related = ("organisation",)
    list_filter = ("type",)
    ordering = ("-pk",)
    search_by = {"dv_": "key", "": "name"}
    search_help_text = "A device's whole name, or the beginning of its key."
    actions = ["issue_token"]

    def get_fields(self, request, obj=None):
        if obj is None:
            return ("organisation", "name", "type", "slot", "capabilities")
        return (
            "key",
            "organisation",
            "name",
            "type",
            "slot",
            "capabilities",
            "last_seen",
            "token_list",
            "created_at",
        )

    def get_readonly_fields(self, request, obj=None):
        return () if obj is None else ("key", "organisation", "last_seen", "token_list", "created_at")

    @admin.display(description="capabilities")
    def capability_list(self, device):
        return ", ".join(map(str, device.capabilities))

    @admin.display(description="last seen", ordering="last_seen_at")
    def last_seen(self, device):
        return age(device.last_seen_at)

    @admin.display(description="tokens")
    def token_list(self, device):
        tokens = ApiToken.objects.filter(credential__device=device).order_by("-pk")[:20]
        return (
            ", ".join(f"{token.prefix}…{' (revoked)' if token.revoked_at else ''}" for token in tokens)
            or "none"
        )

    def add_by_verb(self, request, values):
        return services.register_device(
            values["organisation"],
            name=values["name"],
            type=values["type"],
            slot=values["slot"],
            capabilities=values["capabilities"] or [],
            by=caller_of(request).name,
        )

    def change_by_verb(self, request, obj, changes):
        services.change_device(obj, by=caller_of(request).name, **changes)

    def delete_model(self, request, obj):
        services.remove_device(obj, by=caller_of(request).name)

    @admin.action(description="Issue a token for one device")
    def issue_token(self, request, queryset):
        """A page that shows the new token's secret once."""
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            self.message_user(request, "Choose one device.", "ERROR")
            return None
        if not self.may(request, "admin", chosen[0]):
            self.message_user(request, "You lack the right admin here.", "ERROR")
            return None
        try:
            token, secret = services.give_token(chosen[0], by=caller_of(request).name)
        except DomainError as error:
            self.message_user(request, error.message, "ERROR")
            return None
        return issued(self, request, token, secret)

    issue_token.right = "admin"
