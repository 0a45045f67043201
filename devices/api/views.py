"""Devices: parse, authorise, call one verb, render."""

from __future__ import annotations

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.response import Response

from devices import services
from devices.api.serializers import (
    AttachmentSerializer,
    DeviceChangeSerializer,
    DeviceSerializer,
    NewDeviceSerializer,
    NewDeviceTokenSerializer,
)
from devices.models import Device
from sessionsite.accounts.api.organisations import OrganisationFilters, organisation_for
from sessionsite.accounts.api.serializers import TokenSerializer, TokenWithSecretSerializer
from sessionsite.accounts.models import ApiToken
from sessionsite.common.access import RIGHTS
from sessionsite.common.api.views import BaseViewSet, Listed, Retrieved
from sessionsite.common.errors import DomainError, Missing

DEVICE_KEY = "dv_[0-9a-z]{26}"


class UnknownDevice(DomainError):
    code = "unknown_device"


class DeviceFilters(OrganisationFilters):
    type = filters.CharFilter(max_length=40)
    slot = filters.CharFilter(max_length=64)


@extend_schema(tags=["devices"])
@extend_schema_view(
    list=extend_schema(summary="Devices by name"),
    retrieve=extend_schema(summary="One device"),
)
class DeviceViewSet(Listed, Retrieved, BaseViewSet):
    queryset = Device.objects.select_related("organisation")
    serializer_class = DeviceSerializer
    filterset_class = DeviceFilters
    lookup_field, lookup_value_regex = "key", DEVICE_KEY
    keyset = ("name", "id")
    required_rights = {
        "create": "admin",
        "partial_update": "admin",
        "destroy": "admin",
        "tokens": "admin",
        "give_token": "admin",
    }

    @extend_schema(
        summary="Register a device", request=NewDeviceSerializer, responses={201: DeviceSerializer}
    )
    def create(self, request):
        asked = self.checked(NewDeviceSerializer)
        organisation = organisation_for(self.caller, asked.pop("organisation", None), "admin")
        device = services.register_device(organisation, by=self.by, **asked)
        return Response(self.render(device), status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change name, type, slot or capabilities",
        request=DeviceChangeSerializer,
        responses=DeviceSerializer,
    )
    def partial_update(self, request, key):
        device = self.get_object()
        device = services.change_device(device, by=self.by, **self.checked(DeviceChangeSerializer))
        return Response(self.render(device))

    @extend_schema(
        summary="Remove it with its tokens; what it recorded stays", request=None, responses={204: None}
    )
    def destroy(self, request, key):
        services.remove_device(self.get_object(), by=self.by)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="The tokens that speak for it", responses=TokenSerializer(many=True))
    @action(
        detail=True, url_path="token", serializer_class=TokenSerializer, keyset=("-id",), filterset_class=None
    )
    def tokens(self, request, key):
        tokens = ApiToken.objects.filter(credential__device=self.get_object())
        return self.listed(tokens.select_related("organisation", "owner"))

    @extend_schema(
        summary="A new token for it; the only answer that holds the secret",
        request=NewDeviceTokenSerializer,
        responses={201: TokenWithSecretSerializer},
    )
    @tokens.mapping.post
    def give_token(self, request, key):
        device = self.get_object()
        asked = self.checked(NewDeviceTokenSerializer)
        within = frozenset(right for right in RIGHTS if self.caller.may(right, device.organisation_id))
        token, secret = services.give_token(device, by=self.by, within=within, **asked)
        data = TokenWithSecretSerializer(token, context={"request": request, "secret": secret}).data
        return Response(data, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class AttachedDevices:
    """Mixed into the view of a thing that has `devices`: listed, attached, detached under `devices/`.

    `attach_device(thing, device)` and `detach_device(thing, device)` are the view's.
    """

    @extend_schema(summary="The devices attached to it", responses=DeviceSerializer(many=True))
    @action(detail=True, serializer_class=DeviceSerializer, keyset=("name", "id"), filterset_class=None)
    def devices(self, request, **kwargs):
        return self.rendered_devices(self.get_object().devices.select_related("organisation"))

    def rendered_devices(self, queryset) -> Response:
        rows = self.paginate_queryset(self.filter_queryset(queryset))
        return self.get_paginated_response(DeviceSerializer(rows, many=True).data)

    @extend_schema(summary="Attach a device", request=AttachmentSerializer, responses={201: DeviceSerializer})
    @devices.mapping.post
    def add_device(self, request, **kwargs):
        thing = self.get_object()
        key = self.checked(AttachmentSerializer)["device"]
        device = Device.objects.filter(organisation_id=thing.organisation_id, key=key).first()
        if device is None:
            raise UnknownDevice("There is no such device.", field="device")
        self.attach_device(thing, device)
        return Response(DeviceSerializer(device).data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Detach a device", request=None, responses={204: None})
    @action(detail=True, methods=["delete"], url_path=f"devices/(?P<device>{DEVICE_KEY})")
    def remove_device(self, request, device, **kwargs):
        thing = self.get_object()
        found = thing.devices.filter(key=device).first()
        if found is None:
            raise Missing("This device is not attached.")
        self.detach_device(thing, found)
        return Response(status=status.HTTP_204_NO_CONTENT)
