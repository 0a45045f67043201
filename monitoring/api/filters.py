"""Filters of the lists of monitors, pictures and datasets."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q
from django_filters import rest_framework as filters

from monitoring.api.serializers import KINDS, REVIEWS, SOURCES, SPLITS
from monitoring.models import Dataset, Monitor, Tag
from sessions_app.api.filters import of_slug
from sessions_app.models import Session
from sessionsite.accounts.api.organisations import OrganisationFilters
from sessionsite.common.api.filters import MomentFilter, WordsFilter, YesNoFilter
from sessionsite.common.few import few, narrowed


def _with_box(queryset, boxes):
    """The pictures of `queryset` with one of `boxes` on them."""
    if (pictures := few(boxes.values_list("image_id", flat=True))) is not None:
        return queryset.filter(pk__in=pictures)
    return queryset.filter(Exists(boxes.filter(image=OuterRef("pk"))))


class MonitorFilters(OrganisationFilters):
    kind = WordsFilter(choices=KINDS)
    dataset = filters.CharFilter(field_name="dataset__key", max_length=100)
    demo = YesNoFilter(field_name="is_demo")
    archived = YesNoFilter(method="are_archived", help_text="true: only archived ones; else none of them.")

    def are_archived(self, queryset, name, value):
        return queryset.filter(archived_at__isnull=not value)

    def filter_queryset(self, queryset):
        queryset = super().filter_queryset(queryset)
        return queryset if self.form.cleaned_data.get("archived") else queryset.present()


class PictureFilters(filters.FilterSet):
    """What the pictures of one monitor or session are searched by."""

    label = filters.CharFilter(method="of_label", max_length=100)
    review = WordsFilter(method="of_review", choices=REVIEWS)
    split = WordsFilter(method="of_split", choices=[split for split in SPLITS if split])
    tag = filters.CharFilter(method="with_tag", max_length=100, help_text="Some box on it has this label.")
    source = WordsFilter(method="with_source", choices=SOURCES, help_text="Some box on it came from there.")
    after = MomentFilter(field_name="received_at", lookup_expr="gte", help_text="From this time on.")
    before = MomentFilter(field_name="received_at", lookup_expr="lt")
    deleted = YesNoFilter(method="are_deleted", help_text="true: only deleted ones; else they are left out.")

    def of_label(self, queryset, name, value):
        return narrowed(queryset, label=value)

    def of_review(self, queryset, name, value):
        return narrowed(queryset, review__in=value)

    def of_split(self, queryset, name, value):
        return narrowed(queryset, ~Q(split=""), split__in=value)

    def with_tag(self, queryset, name, value):
        return _with_box(queryset, Tag.objects.filter(label=value))

    def with_source(self, queryset, name, value):
        return _with_box(queryset, Tag.objects.filter(source__in=value))

    def are_deleted(self, queryset, name, value):
        return queryset  # done below, before the others: their indexes leave the deleted ones out

    def filter_queryset(self, queryset):
        if self.form.cleaned_data.get("deleted"):
            return super().filter_queryset(narrowed(queryset, deleted_at__isnull=False))
        return super().filter_queryset(queryset.kept())


class ImageFilters(OrganisationFilters, PictureFilters):
    monitor = filters.CharFilter(method="of_monitor", max_length=64)
    session = filters.CharFilter(method="of_session", max_length=40)
    dataset = filters.CharFilter(method="of_dataset", max_length=100)

    def of_monitor(self, queryset, name, value):
        return queryset.filter(monitor_id=of_slug(Monitor, "slug", value))

    def of_session(self, queryset, name, value):
        return queryset.filter(session_id=of_slug(Session, "key", value))

    def of_dataset(self, queryset, name, value):
        return queryset.filter(dataset__in=Dataset.objects.filter(key=value))


class DatasetFilters(OrganisationFilters):
    type = filters.CharFilter(max_length=40)
