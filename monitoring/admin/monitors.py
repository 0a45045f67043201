"""The monitors' list with what each does now, and the verbs of an operator."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q
from django.utils.html import format_html

from monitoring import services
from monitoring.admin import effects
from monitoring.models import Monitor, Presence
from monitoring.state import monitor_states
from sessions_app.services import move
from sessions_app.states import OPEN, State
from sessionsite.accounts.admin_base import ScopedAdmin, caller_of, verb_action
from sessionsite.accounts.admin_parts import NOTHING, age, chip, duration, in_bytes

CLOSED = "closed by hand"


class StatusFilter(admin.SimpleListFilter):
    title, parameter_name = "state", "status"

    def lookups(self, request, model_admin):
        return [(word, word) for word in ("running", "late", "lost", "idle", "error")]

    def queryset(self, request, queryset):
        is_open = Q(current_session__state__in=[state for state in OPEN if state != State.ERROR])
        away = Q(presence__in=(Presence.LATE, Presence.LOST))
        asked = {
            "running": is_open & ~away,
            "late": is_open & Q(presence=Presence.LATE),
            "lost": is_open & Q(presence=Presence.LOST),
            "idle": Q(current_session=None) | ~Q(current_session__state__in=OPEN),
            "error": Q(current_session__state=State.ERROR),
        }.get(self.value())
        return queryset if asked is None else queryset.filter(asked)


class LiveChangeList(ChangeList):
    """Gives each monitor of the page its live state, in a fixed number of queries."""

    def get_results(self, request):
        super().get_results(request)
        monitors = list(self.result_list)
        for monitor, state in zip(monitors, monitor_states(monitors), strict=True):
            monitor.live = state
        self.result_list = monitors


def _on_session(verb):
    """A verb of sessions as one of monitors."""

    def on_monitor(monitor: Monitor, by: str):
        session = services.open_session_of(monitor)
        if session is None:
            raise services.AlreadyStopped("Nothing runs on it any more.")
        return verb(session, by)

    return on_monitor


@admin.register(Monitor)
class MonitorAdmin(ScopedAdmin):
    add_right = change_right = "admin"
    list_display = (
        "name", "slug", "chip", "elapsed", "total", "rate", "last_picture", "last_age", "kind",
        "organisation", "kept",
    )  # fmt: skip
    list_filter = (StatusFilter, "kind", "is_demo", ("archived_at", admin.EmptyFieldListFilter))
    sortable_by = ("name", "slug")
    ordering = ("slug",)
    search_by = {"": "slug__startswith"}
    search_help_text = "The beginning of a monitor's slug."
    list_select_related = ("organisation", "dataset", "current_session")
    change_list_template = "admin/monitoring/monitor/change_list.html"
    actions = [
        verb_action(
            title="Start monitors",
            right="control",
            effect=effects.starting,
            verb=lambda monitor, by: services.start_monitor(monitor, by=by),
        ),
        verb_action(
            title="Stop monitors",
            right="control",
            effect=effects.stopping,
            verb=lambda monitor, by: services.stop_monitor(monitor, by=by),
        ),
        verb_action(
            title="Close as interrupted",
            right="control",
            effect=effects.closing,
            verb=_on_session(lambda session, by: services.close_stale(session, by=by, reason=CLOSED)),
            about="For a session that nobody feeds any more: its end is marked as not regular.",
        ),
        verb_action(
            title="Reset after an error",
            right="control",
            effect=effects.resetting,
            verb=_on_session(lambda session, by: move(session, State.ACTIVE, by=by)),
        ),
        verb_action(
            title="Archive monitors",
            right="admin",
            effect=effects.archiving,
            verb=lambda monitor, by: services.archive_monitor(monitor, by=by),
        ),
        verb_action(
            title="Restore archived monitors",
            right="admin",
            effect=effects.restoring,
            verb=lambda monitor, by: services.restore_monitor(monitor, by=by),
        ),
    ]

    class Media:
        js = ("sessionsite/admin-live.js",)

    def get_changelist(self, request, **kwargs):
        return LiveChangeList

    def get_fields(self, request, obj=None):
        changing = ("name", "kind", "dataset", "expected_interval_s", "quota_bytes")
        if obj is None:
            return ("organisation", "slug", *changing)
        return (
            "slug", "organisation", "chip", "session_link", *changing, "capture_for_training", "device_list",
            "kept", "is_demo", "created_at", "archived_at",
        )  # fmt: skip

    def get_readonly_fields(self, request, obj=None):
        if obj is None:
            return ()
        return (
            "slug", "organisation", "chip", "session_link", "device_list", "kept", "is_demo", "created_at",
            "archived_at",
        )  # fmt: skip

    @admin.display(description="state")
    def chip(self, monitor):
        if monitor.archived_at:
            return chip("ended", "archived")
        status = self.live(monitor)["status"]
        return chip(status, status)

    def live(self, monitor) -> dict:
        if not hasattr(monitor, "live"):
            monitor.live = monitor_states([monitor])[0]
        return monitor.live

    @admin.display(description="elapsed")
    def elapsed(self, monitor):
        session = effects.running_session(monitor)
        return duration(session.started_at) if session else NOTHING

    @admin.display(description="total")
    def total(self, monitor):
        return f"{monitor.live['total_counter']:,}"

    @admin.display(description="rate")
    def rate(self, monitor):
        flow = monitor.live["flow"]
        return (
            f"{flow['current_flow_rate']:g} /min ({flow['window_s']} s)"
            if monitor.live["running"]
            else NOTHING
        )

    @admin.display(description="last picture")
    def last_picture(self, monitor):
        image = monitor.live["last_image"]
        return thumbnail(image["thumbnail_url"], image["name"] or image["key"]) if image else NOTHING

    @admin.display(description="age")
    def last_age(self, monitor):
        return age(monitor.last_item_at)

    @admin.display(description="kept")
    def kept(self, monitor):
        limit = f" of {in_bytes(monitor.quota_bytes)}" if monitor.quota_bytes is not None else ""
        return f"{in_bytes(monitor.stored_bytes)}{limit}"

    @admin.display(description="session")
    def session_link(self, monitor):
        session = monitor.current_session
        if session is None:
            return NOTHING
        return format_html(
            '<a href="/admin/sessions_app/session/{}/change/">{}</a>', session.pk, effects.summary(session)
        )

    @admin.display(description="devices")
    def device_list(self, monitor):
        return ", ".join(device.name for device in monitor.devices.all()[:50]) or "none"

    def add_by_verb(self, request, values):
        return services.create_monitor(values.pop("organisation"), by=caller_of(request).name, **values)

    def change_by_verb(self, request, obj, changes):
        services.change_monitor(obj, by=caller_of(request).name, **changes)


def thumbnail(address: str, name: str):
    return format_html(
        '<img class="thumb" src="{}" alt="{}" width="64" height="48" loading="lazy">', address, name
    )
