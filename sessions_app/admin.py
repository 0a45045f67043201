"""Sessions in the admin, with their journal.

`SessionAdmin` is registered by the app that knows pictures and monitors, which adds both to it.
"""

from __future__ import annotations

import orjson
from django.contrib import admin

from sessions_app.models import Session, SessionEvent
from sessions_app.services import set_name_notes
from sessions_app.states import CHOICES, SHOWN, TERMINAL
from sessionsite.accounts.admin_base import ScopedAdmin, caller_of
from sessionsite.accounts.admin_parts import age, chip, duration, in_bytes, moment
from sessionsite.common.few import aside

JOURNAL_ROWS = 50
DETAIL_CHARS = 400


def detail_text(event: SessionEvent) -> str:
    """The entry's detail as JSON on one line, cut where it gets long."""
    text = orjson.dumps(event.detail).decode()
    return text if len(text) <= DETAIL_CHARS else f"{text[:DETAIL_CHARS]}…"


class OpenFilter(admin.SimpleListFilter):
    title, parameter_name = "open", "open"

    def lookups(self, request, model_admin):
        return [("yes", "open"), ("no", "over")]

    def queryset(self, request, queryset):
        if self.value() == "yes":
            return queryset.open()
        # Nearly all are over: the page is walked in its order, not sorted.
        return queryset.filter(aside(state__in=TERMINAL)) if self.value() == "no" else queryset


class StateFilter(admin.ChoicesFieldListFilter):
    """By state, in the words of the pages."""

    def choices(self, changelist):
        everything, *states = super().choices(changelist)
        named = zip(states, CHOICES, strict=True)
        return [everything, *({**state, "display": word} for state, (_, word) in named)]


class SessionAdmin(ScopedAdmin):
    """What happened. Name and notes can be written; the state moves by the actions alone."""

    change_right = "control"
    change_form_template = "admin/sessions_app/session/change_form.html"
    list_display = (
        "label",
        "chip",
        "place",
        "started",
        "length",
        "total",
        "size",
        "started_by",
        "organisation",
    )
    list_display_links = ("label",)
    list_select_related = ("organisation", "monitor")
    list_filter = (OpenFilter, ("state", StateFilter), "kind", ("started_at", admin.DateFieldListFilter))
    sortable_by = ()
    search_by = {"se_": "key", "": "monitor__slug"}
    search_help_text = "The beginning of a session's key, or a monitor's whole slug."
    fields = (
        "key", "chip", "end_reason", "organisation", "place", "kind", "name", "notes", "started", "stopped",
        "length", "last_item", "started_by", "total", "image_count", "size", "device_list", "flow", "data",
    )  # fmt: skip

    def get_readonly_fields(self, request, obj=None):
        return tuple(name for name in self.fields if name not in ("name", "notes"))

    def get_ordering(self, request):
        """By what has an index for this caller: time within an organisation, else the order of making."""
        return ("-pk",) if caller_of(request).everywhere else ("-started_at", "-pk")

    @admin.display(description="session")
    def label(self, session):
        return session.name or session.key

    @admin.display(description="state")
    def chip(self, session):
        return chip(*SHOWN[session.state])

    @admin.display(description="monitor")
    def place(self, session):
        return session.monitor.slug if session.monitor else "–"

    @admin.display(description="started")
    def started(self, session):
        return moment(session.started_at)

    @admin.display(description="stopped")
    def stopped(self, session):
        return moment(session.stopped_at)

    @admin.display(description="duration")
    def length(self, session):
        return duration(session.started_at, session.stopped_at)

    @admin.display(description="last picture")
    def last_item(self, session):
        return age(session.last_item_at)

    @admin.display(description="total")
    def total(self, session):
        return f"{session.total_counter:,}"

    @admin.display(description="size")
    def size(self, session):
        return in_bytes(session.size_bytes)

    @admin.display(description="devices")
    def device_list(self, session):
        return ", ".join(device.name for device in session.devices.all()[:50]) or "none"

    def change_by_verb(self, request, obj, changes):
        set_name_notes(obj, by=caller_of(request).name, **changes)

    def change_view(self, request, object_id, form_url="", extra_context=None):
        session = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(self.sections(request, session) if session else {})}
        return super().change_view(request, object_id, form_url, context)

    def sections(self, request, session: Session) -> dict:
        """What the page shows below the fields: the journal, newest first, `?before=` for older entries."""
        before = request.GET.get("before", "")
        upto = (
            int(before) - 1
            if before.isascii() and before.isdigit() and len(before) < 18
            else session.last_seq
        )
        events = SessionEvent.objects.filter(session=session, seq__lte=upto).select_related("device")
        rows = list(events.order_by("-seq")[:JOURNAL_ROWS])
        is_older = bool(rows) and rows[-1].seq > 1
        return {
            "journal": [(event, detail_text(event)) for event in rows],
            "journal_older": rows[-1].seq if is_older else None,
            "journal_is_newest": upto >= session.last_seq,
        }
