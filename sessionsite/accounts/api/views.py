"""Organisations, members, tokens, tickets, the audit trail: parse, authorise, call one verb, render."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.response import Response

from sessionsite.accounts import services
from sessionsite.accounts.api import schema  # noqa: F401 - registers the two ways to authenticate
from sessionsite.accounts.api.organisations import OrganisationFilters, organisation_for
from sessionsite.accounts.api.serializers import (
    AuditEntrySerializer,
    MemberSerializer,
    NewMemberSerializer,
    NewTokenSerializer,
    OrganisationSerializer,
    RoleSerializer,
    TicketSerializer,
    TokenSerializer,
    TokenWithSecretSerializer,
)
from sessionsite.accounts.models import ApiToken, AuditEntry, Membership, Organisation, User
from sessionsite.common.access import RIGHTS
from sessionsite.common.api.fields import StrictSerializer
from sessionsite.common.api.filters import MomentFilter
from sessionsite.common.api.views import BaseViewSet, Listed, Retrieved
from sessionsite.common.errors import DomainError, Missing

USERNAME = r"[\w.@+-]{1,150}"


class UnknownUser(DomainError):
    code = "unknown_user"


def user_named(name: str) -> User:
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise UnknownUser("There is no such user.", field="user")
    return user


@extend_schema(tags=["organisations"])
@extend_schema_view(
    list=extend_schema(summary="The organisations of the caller"),
    retrieve=extend_schema(summary="One organisation"),
)
class OrganisationViewSet(Listed, Retrieved, BaseViewSet):
    queryset = Organisation.objects.all()
    serializer_class = OrganisationSerializer
    lookup_field, lookup_value_regex = "slug", "[a-z0-9-]{1,64}"
    keyset = ("slug", "id")
    required_rights = {
        "members": "admin",
        "add_member": "admin",
        "change_member": "admin",
        "remove_member": "admin",
    }

    def organisation_id_of(self, obj) -> int:
        return obj.pk

    def _members(self):
        return Membership.objects.filter(organisation=self.get_object()).select_related("user")

    def _member(self, username: str) -> Membership:
        member = self._members().filter(user__username=username).first()
        if member is None:
            raise Missing("There is no such member.")
        return member

    @extend_schema(summary="Who belongs to it", responses=MemberSerializer(many=True))
    @action(detail=True, serializer_class=MemberSerializer, keyset=("id",))
    def members(self, request, slug):
        return self.listed(self._members())

    @extend_schema(
        summary="Add a user, or give them another role",
        request=NewMemberSerializer,
        responses={201: MemberSerializer},
    )
    @members.mapping.post
    def add_member(self, request, slug):
        organisation = self.get_object()
        asked = self.checked(NewMemberSerializer)
        member = services.set_role(user_named(asked["user"]), organisation, asked["role"], by=self.by)
        return Response(MemberSerializer(member).data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Give a member another role", request=RoleSerializer, responses=MemberSerializer)
    @action(detail=True, methods=["patch"], url_path=f"members/(?P<username>{USERNAME})")
    def change_member(self, request, slug, username):
        member, asked = self._member(username), self.checked(RoleSerializer)
        member = services.set_role(member.user, member.organisation, asked["role"], by=self.by)
        return Response(MemberSerializer(member).data)

    @extend_schema(summary="Remove a member", request=None, responses={204: None})
    @change_member.mapping.delete
    def remove_member(self, request, slug, username):
        member = self._member(username)
        services.set_role(member.user, member.organisation, None, by=self.by)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["tokens"])
@extend_schema_view(
    list=extend_schema(summary="An admin sees all tokens, others their own"),
    retrieve=extend_schema(summary="One token, without its secret"),
    destroy=extend_schema(summary="Revoke: its sockets close within 5 s"),
)
class TokenViewSet(Listed, Retrieved, BaseViewSet):
    queryset = ApiToken.objects.select_related("organisation", "owner")
    serializer_class = TokenSerializer
    filterset_class = OrganisationFilters
    lookup_field, lookup_value_regex = "key", "tk_[0-9a-z]{26}"
    required_rights = {"create": "admin", "destroy": "read", "revoke": "read"}

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return self.queryset.shown_to(self.caller)

    def get_object(self) -> ApiToken:
        """One of those that the caller is shown: an admin's, or the caller's own, which both may revoke."""
        return get_object_or_404(self.get_queryset(), key=self.kwargs["key"])

    @extend_schema(
        summary="A new token; the only answer that holds its secret",
        request=NewTokenSerializer,
        responses={201: TokenWithSecretSerializer},
    )
    def create(self, request):
        asked = self.checked(NewTokenSerializer)
        organisation = organisation_for(self.caller, asked.pop("organisation", None), "admin")
        owner = asked.pop("owner", None)
        token, secret = services.create_token(
            organisation, owner=user_named(owner) if owner else None, by=self.by,
            within=frozenset(right for right in RIGHTS if self.caller.may(right, organisation.pk)), **asked,
        )  # fmt: skip
        context = {"request": request, "secret": secret}
        data = TokenWithSecretSerializer(token, context=context).data
        return Response(data, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    def destroy(self, request, key):
        services.revoke_token(self.get_object(), by=self.by)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        summary="The same as DELETE, answered with the token", request=None, responses=TokenSerializer
    )
    @action(detail=True, methods=["post"])
    def revoke(self, request, key):
        token = self.get_object()
        services.revoke_token(token, by=self.by)
        return Response(self.render(token))


@extend_schema(tags=["tokens"])
class TicketViewSet(BaseViewSet):
    """A pass for one socket or stream."""

    serializer_class = TicketSerializer
    required_rights = {"create": "read"}

    @extend_schema(
        summary="A pass for one socket or event stream: once, within 30 s",
        request=None,
        responses={201: TicketSerializer},
    )
    def create(self, request):
        self.checked(StrictSerializer)
        ticket, expires_at = services.issue_ticket(self.caller)
        data = TicketSerializer({"ticket": ticket, "expires_at": expires_at}).data
        return Response(data, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class AuditFilters(OrganisationFilters):
    object_type = filters.CharFilter(max_length=32)
    object_key = filters.CharFilter(max_length=100)
    actor = filters.CharFilter(max_length=200)
    verb = filters.CharFilter(max_length=64)
    after = MomentFilter(field_name="at", lookup_expr="gte", help_text="From this time on.")
    before = MomentFilter(field_name="at", lookup_expr="lt")


@extend_schema(tags=["organisations"])
@extend_schema_view(list=extend_schema(summary="Who changed what, newest first"))
class AuditViewSet(Listed, BaseViewSet):
    queryset = AuditEntry.objects.select_related("organisation")
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilters
    required_rights = {"list": "admin"}
