"""Datasets in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count

from monitoring.models import Dataset, Image
from monitoring.services.datasets import change_dataset, create_dataset
from sessionsite.accounts.admin_base import ScopedAdmin, caller_of

LABELS = 50


@admin.register(Dataset)
class DatasetAdmin(ScopedAdmin):
    add_right = change_right = "annotate"
    list_display = ("name", "key", "type", "organisation", "created_at")
    list_select_related = ("organisation",)
    list_filter = ("type",)
    sortable_by = ()
    ordering = ("-pk",)
    search_by = {"ds_": "key", "": "key"}
    search_help_text = "The beginning of a key ds_…, or a whole key from elsewhere."

    def get_fields(self, request, obj=None):
        if obj is None:
            return ("organisation", "name", "type")
        return ("key", "organisation", "name", "type", "labels", "created_at")

    def get_readonly_fields(self, request, obj=None):
        return () if obj is None else ("key", "organisation", "labels", "created_at")

    @admin.display(description="pictures per label")
    def labels(self, dataset):
        kept = Image.objects.kept().filter(dataset=dataset).order_by()
        counts = kept.values_list("label").annotate(count=Count("pk")).order_by("-count")[:LABELS]
        return ", ".join(f"{label or 'no label'}: {count:,}" for label, count in counts) or "none"

    def add_by_verb(self, request, values):
        return create_dataset(values.pop("organisation"), by=caller_of(request).name, **values)

    def change_by_verb(self, request, obj, changes):
        change_dataset(obj, by=caller_of(request).name, **changes)
