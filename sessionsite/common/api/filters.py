"""Filters of lists: unknown and repeated parameters are refused, bad values too."""

from __future__ import annotations

from django import forms
from django_filters import rest_framework as filters
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError

from sessionsite.common import clock
from sessionsite.common.api.fields import refuse_repeats

PAGE_PARAMS = {"cursor", "limit"}


class StrictFilterBackend(DjangoFilterBackend):
    """Lists take the parameters of their view's FilterSet and of the pages, and no other.

    `extra_params` of a view that has no pages: names that it reads itself.
    """

    def filter_queryset(self, request, queryset, view):
        refuse_repeats(request.query_params)
        known = PAGE_PARAMS if view.pagination_class else set(view.extra_params)
        known = known | set(getattr(getattr(view, "filterset_class", None), "base_filters", ()))
        if unknown := sorted(set(request.query_params) - known):
            raise ValidationError({name: ["There is no such parameter."] for name in unknown})
        if PAGE_PARAMS.issuperset(request.query_params):
            return unasked(queryset, getattr(view, "filterset_class", None))
        return super().filter_queryset(request, queryset, view)


def unasked(queryset, filterset_class):
    """`queryset` as a FilterSet leaves it that is asked for nothing, without its form: a sixth of a page.

    One that hides something even then says so in its own `unasked`.
    """
    return getattr(filterset_class, "unasked", lambda rows: rows)(queryset)


class MomentFormField(forms.Field):
    def to_python(self, value):
        if value in self.empty_values:
            return None
        try:
            return clock.parse_iso(value)
        except clock.BadTime as error:
            raise forms.ValidationError(error.message) from error


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentFilter(filters.Filter):
    """An ISO-8601 time with an offset."""

    field_class = MomentFormField


@extend_schema_field({"type": "string", "enum": ["true", "false"]})
class YesNoFilter(filters.TypedChoiceFilter):
    """`true` or `false`."""

    def __init__(self, **kwargs):
        choices = [("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce=lambda text: text == "true", **kwargs)


class WordsFormField(forms.CharField):
    """Comma-separated words, each one of `words`."""

    def __init__(self, *, words, **kwargs):
        self.words = words
        super().__init__(**kwargs)

    def to_python(self, value):
        words = [word.strip() for word in super().to_python(value).split(",") if word.strip()]
        if wrong := [word for word in words if word not in self.words]:
            params = {"wrong": wrong[0], "words": ", ".join(self.words)}
            raise forms.ValidationError("%(wrong)s is none of %(words)s.", params=params)
        return words


@extend_schema_field(OpenApiTypes.STR)
class WordsFilter(filters.Filter):
    """Any of several comma-separated words: `?state=active,error`."""

    field_class = WordsFormField

    def __init__(self, *, choices, **kwargs):
        words = [str(word) for word in choices]
        super().__init__(words=words, **{"lookup_expr": "in", "label": f"Any of {', '.join(words)}"} | kwargs)
