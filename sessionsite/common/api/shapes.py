"""From a message dataclass to the serializer that describes it in the schema: the two cannot drift apart."""

from __future__ import annotations

from dataclasses import fields
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

from rest_framework import serializers

from sessionsite.common.api.fields import MomentField

SIMPLE = {
    bool: serializers.BooleanField,
    int: serializers.IntegerField,
    float: serializers.FloatField,
    str: serializers.CharField,
}


def shape_of(message: type, *, name: str, **overrides) -> type[serializers.Serializer]:
    """A serializer class with one field per field of the dataclass `message`; names in `_at` are times.

    overrides: fields that say more than their type does.
    """
    hints = get_type_hints(message)
    found = {field.name: _field(field.name, hints[field.name]) for field in fields(message)}
    if unknown := sorted(set(overrides) - set(found)):
        raise ValueError(f"{message.__name__} has no field {unknown[0]}")
    doc = (message.__doc__ or "").partition("\n")[0]
    return type(name, (serializers.Serializer,), {**found, **overrides, "__doc__": doc})


def _field(name: str, hint) -> serializers.Field:
    kwargs: dict = {}
    if get_origin(hint) is UnionType:
        [hint] = [part for part in get_args(hint) if part is not NoneType]
        kwargs["allow_null"] = True
    if hint is str and name.endswith("_at") or name == "at":
        return MomentField(**kwargs)
    if hint in SIMPLE:
        return SIMPLE[hint](**kwargs)
    if hint is dict:
        return serializers.DictField(**kwargs)
    inner = get_args(hint)
    if get_origin(hint) is dict:
        return serializers.DictField(child=_field("", inner[1]), **kwargs)
    return serializers.ListField(child=_field("", inner[0]), **kwargs)
