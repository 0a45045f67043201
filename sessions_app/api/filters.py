"""Filters of the session list and of the event list."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, Q, QuerySet
from django_filters import rest_framework as filters

from sessions_app.models import LabelCount, Session
from sessions_app.severity import SEVERITY_WORDS
from sessions_app.states import Kind, State
from sessionsite.accounts.api.organisations import OrganisationFilters
from sessionsite.common.api.filters import MomentFilter, WordsFilter
from sessionsite.common.begins import begins
from sessionsite.common.few import aside, gathered, narrowed


def of_slug(model, name: str, value: str):
    """The pk of the row that `value` names, as a scalar subquery: an equality that an index can serve."""
    return model.objects.filter(**{name: value}).values("pk")[:1]


class SessionFilters(OrganisationFilters):
    """What the history is searched by."""

    monitor = filters.CharFilter(method="of_monitor", max_length=64)
    kind = WordsFilter(choices=Kind.values, method="of_kind")
    state = WordsFilter(choices=State.values)
    device = filters.CharFilter(field_name="devices__key", max_length=40)
    label = filters.CharFilter(
        method="with_label", max_length=100, help_text="Some picture or box of it has this label."
    )
    started_after = MomentFilter(field_name="started_at", lookup_expr="gte")
    started_before = MomentFilter(field_name="started_at", lookup_expr="lt")
    q = filters.CharFilter(
        method="search", max_length=100, help_text="A key, or the beginning of a name or of who started it."
    )

    def of_monitor(self, queryset, name, value):
        monitors = Session._meta.get_field("monitor").related_model
        return queryset.filter(monitor_id=of_slug(monitors, "slug", value))

    def of_kind(self, queryset, name, words):
        """One kind has an index in the list's order; SQLite would take it for several, or a monitor, too."""
        asked = self.form.cleaned_data
        is_alone = len(words) == 1 and not (asked["monitor"] or asked["device"])
        return queryset.filter(kind=words[0]) if is_alone else queryset.filter(aside(kind__in=words))

    def with_label(self, queryset, name, value):
        counts = LabelCount.objects.filter(session=OuterRef("pk"), label=value, count__gt=0)
        counts = counts.exclude(of=LabelCount.REVIEW)
        return queryset.filter(Exists(counts))

    def filter_queryset(self, queryset):
        """A label or states that few sessions have are found by themselves, a beginning from its indexes."""
        found, asked = super().filter_queryset(queryset), self.form.cleaned_data
        probes = []
        if asked["label"]:
            counts = LabelCount.objects.filter(label=asked["label"], count__gt=0)
            probes.append(counts.values_list("session_id", flat=True))
        if asked["state"]:
            probes.append(Session.objects.filter(state__in=asked["state"]).values_list("pk", flat=True))
        if probes:
            return narrowed(found, *probes)
        return gathered(found, *self._begun(asked["q"])) if asked["q"] else found

    def _begun(self, text: str) -> Iterator[QuerySet]:
        """Per way in which `search` finds a session: the keys of all that it finds."""
        owners, keys = self.owners(), Session.objects.values_list("pk", flat=True)
        mine = keys.filter(organisation__in=owners)
        yield mine.filter(begins("name", text))
        yield mine.filter(begins("started_by", text))
        monitors = Session._meta.get_field("monitor").related_model.objects.filter(organisation__in=owners)
        places = monitors.filter(Q(slug__startswith=text) | Q(name__istartswith=text))
        yield keys.filter(monitor__in=list(places.order_by().values_list("pk", flat=True)))
        yield keys.filter(key=text)

    def search(self, queryset, name, value):
        return queryset.filter(
            Q(key=value) | Q(name__istartswith=value) | Q(started_by__istartswith=value)
            | Q(monitor__slug__startswith=value) | Q(monitor__name__istartswith=value)
        )  # fmt: skip


class EventFilters(OrganisationFilters):
    """What the event list is searched by."""

    session = filters.CharFilter(method="of_session", max_length=40)
    monitor = filters.CharFilter(method="of_monitor", max_length=64)
    kind = filters.CharFilter(max_length=40)
    severity = WordsFilter(choices=SEVERITY_WORDS, method="of_severity")
    after = MomentFilter(field_name="at", lookup_expr="gte", help_text="From this time on.")
    before = MomentFilter(field_name="at", lookup_expr="lt")

    def of_session(self, queryset, name, value):
        return queryset.of_sessions(Session.objects.filter(key=value).values_list("pk", flat=True))

    def of_monitor(self, queryset, name, value):
        monitors = Session._meta.get_field("monitor").related_model
        pk = monitors.objects.filter(slug=value).values_list("pk", flat=True).first()
        return queryset.none() if pk is None else queryset.of_monitor(pk)

    def of_severity(self, queryset, name, words):
        return queryset.of_severity(words) if words else queryset
