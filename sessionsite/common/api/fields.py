"""Serializer pieces that every app uses: bodies and queries that refuse what they do not know."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.core.exceptions import ImproperlyConfigured
from django.core.validators import RegexValidator
from django.utils.datastructures import MultiValueDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from sessionsite.common import clock


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field):
    """A time: ISO-8601 with an offset in, UTC with milliseconds and Z out."""

    def to_internal_value(self, data):
        try:
            return clock.parse_iso(data)
        except clock.BadTime as error:
            raise serializers.ValidationError(error.message) from error

    def to_representation(self, value):
        return clock.iso(value)


class TextField(serializers.CharField):
    """Text; a number or a boolean is no text."""

    def to_internal_value(self, data):
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class PatternField(TextField):
    """Text that matches a pattern from its first character to its last."""

    def __init__(self, pattern: str, *, hint: str, **kwargs):
        super().__init__(trim_whitespace=False, **kwargs)
        self.validators.append(RegexValidator(rf"\A(?:{pattern})\Z", hint))


class WholeField(serializers.IntegerField):
    """A whole number of JSON; `"5"`, `5.0` and `true` are none."""

    def to_internal_value(self, data):
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class NumberField(serializers.FloatField):
    """A number of JSON."""

    def to_internal_value(self, data):
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            self.fail("invalid")
        return super().to_internal_value(data)


class YesNoField(serializers.BooleanField):
    """true or false of JSON."""

    def to_internal_value(self, data):
        if not isinstance(data, bool):
            self.fail("invalid", input=str(data)[:40])
        return data


class WordsField(serializers.ListField):
    """A list of words, each of 1 to `max_chars` characters."""

    def __init__(self, *, max_chars: int = 64, **kwargs):
        super().__init__(child=TextField(max_length=max_chars), **{"max_length": 100} | kwargs)


class StrictSerializer(serializers.Serializer):
    """A body in which every field is known and given once: any other is refused, none is dropped."""

    def to_internal_value(self, data):
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            if unknown := [name for name in data if name not in known]:
                raise serializers.ValidationError(
                    {str(name): ["There is no such field."] for name in unknown}
                )
        if isinstance(data, MultiValueDict):
            lists = {name for name, field in self.fields.items() if isinstance(field, serializers.ListField)}
            refuse_repeats(data, what="field", but=lists)
        return super().to_internal_value(data)

    def create(self, validated_data):
        raise ImproperlyConfigured("a view calls a verb, a serializer saves nothing")

    update = create


class QuerySerializer(StrictSerializer):
    """Query parameters: known ones, each given once."""

    @classmethod
    def of(cls, request) -> dict:
        """The checked parameters of `request`. Raises ValidationError."""
        refuse_repeats(request.query_params)
        found = cls(data=request.query_params.dict(), context={"request": request})
        found.is_valid(raise_exception=True)
        return found.validated_data


def refuse_repeats(values: MultiValueDict, *, what: str = "parameter", but: Collection[str] = ()) -> None:
    """Raises ValidationError when a name not among `but` is given twice: one of the two would be dropped."""
    if repeated := [name for name, each in values.lists() if len(each) > 1 and name not in but]:
        raise serializers.ValidationError({name: [f"This {what} is given twice."] for name in repeated})
