"""Filters of the lists of monitors, pictures and datasets."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, QuerySet
from django_filters import rest_framework as filters

from monitoring.api.serializers import KINDS, REVIEWS, SOURCES, SPLITS
from monitoring.models import Dataset, Image, Monitor, Tag
from sessions_app.api.filters import of_slug
from sessions_app.models import Session
from sessionsite.accounts.api.organisations import OrganisationFilters
from sessionsite.common.api.filters import MomentFilter, WordsFilter, YesNoFilter
from sessionsite.common.few import narrowed


class MonitorFilters(OrganisationFilters):
    kind = WordsFilter(choices=KINDS)
    dataset = filters.CharFilter(field_name="dataset__key", max_length=100)
    demo = YesNoFilter(field_name="is_demo")
    archived = YesNoFilter(method="are_archived", help_text="true: only archived ones; else none of them.")

    def are_archived(self, queryset, name, value):
        return queryset.filter(archived_at__isnull=not value)

    def filter_queryset(self, queryset):
        queryset = super().filter_queryset(queryset)
        return queryset if self.form.cleaned_data.get("archived") else self.unasked(queryset)

    @staticmethod
    def unasked(queryset):
        return queryset.present()


class PictureFilters(filters.FilterSet):
    """What the pictures of one monitor or session are searched by."""

    label = filters.CharFilter(max_length=100)
    review = WordsFilter(choices=REVIEWS)
    split = WordsFilter(choices=[split for split in SPLITS if split])
    tag = filters.CharFilter(method="with_tag", max_length=100, help_text="Some box on it has this label.")
    source = WordsFilter(method="with_source", choices=SOURCES, help_text="Some box on it came from there.")
    after = MomentFilter(field_name="received_at", lookup_expr="gte", help_text="From this time on.")
    before = MomentFilter(field_name="received_at", lookup_expr="lt")
    deleted = YesNoFilter(method="are_deleted", help_text="true: only deleted ones; else they are left out.")

    def with_tag(self, queryset, name, value):
        return queryset.filter(Exists(Tag.objects.filter(image=OuterRef("pk"), label=value)))

    def with_source(self, queryset, name, value):
        return queryset.filter(Exists(Tag.objects.filter(image=OuterRef("pk"), source__in=value)))

    def are_deleted(self, queryset, name, value):
        return queryset.filter(deleted_at__isnull=not value)

    def filter_queryset(self, queryset):
        queryset = super().filter_queryset(queryset)
        return queryset if self.form.cleaned_data.get("deleted") else self.unasked(queryset)

    @staticmethod
    def unasked(queryset):
        return queryset.kept()


class ImageFilters(OrganisationFilters, PictureFilters):
    """What all pictures are searched by; what is rare among millions is found from its own index."""

    monitor = filters.CharFilter(method="of_monitor", max_length=64)
    session = filters.CharFilter(method="of_session", max_length=40)
    dataset = filters.CharFilter(method="of_dataset", max_length=100)

    def of_monitor(self, queryset, name, value):
        return queryset.filter(monitor_id=of_slug(Monitor, "slug", value))

    def of_session(self, queryset, name, value):
        return queryset.filter(session_id=of_slug(Session, "key", value))

    def of_dataset(self, queryset, name, value):
        return queryset.filter(dataset__in=Dataset.objects.filter(key=value))

    def filter_queryset(self, queryset):
        found = super().filter_queryset(queryset)
        if self.form.cleaned_data["session"]:  # it is short: its pictures are looked at instead
            return found
        return narrowed(found, *self._probes())

    def _probes(self) -> Iterator[QuerySet]:
        """Per thing asked for: the keys of all pictures that have it, as an index has them."""
        asked = self.form.cleaned_data
        pictures = Image.objects.values_list("pk", flat=True)
        boxes = Tag.objects.values_list("image_id", flat=True)
        if asked["tag"]:
            yield boxes.filter(label=asked["tag"])
        if asked["source"]:
            yield boxes.filter(source__in=asked["source"])
        if asked["split"]:
            yield pictures.exclude(split="").filter(split__in=asked["split"])
        if asked["deleted"]:
            yield pictures.filter(deleted_at__isnull=False)
            return  # the indexes of labels and reviews leave the deleted ones out
        kept = pictures.kept().filter(organisation__in=self.owners())
        if asked["label"]:
            yield kept.filter(label=asked["label"])
        if asked["review"]:
            yield kept.filter(review__in=asked["review"])


class DatasetFilters(OrganisationFilters):
    type = filters.CharFilter(max_length=40)
