"""Organisations, members, tokens, tickets, the audit trail: parse, authorise, call one verb, render."""

from __future__ import annotations

from datetime import timedelta

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.response import Response

from sessionsite.accounts import services
from sessionsite.accounts.api import schema  # noqa: F401 - registers the two ways to authenticate
from sessionsite.accounts.api.filters import AuditFilters
from sessionsite.accounts.api.organisations import OrganisationFilters, organisation_for
from sessionsite.accounts.api.serializers import (
    AuditEntrySerializer,
    InviteSerializer,
    InviteWithLinkSerializer,
    MemberSerializer,
    NewInviteSerializer,
    NewMemberSerializer,
    NewTokenSerializer,
    OrganisationSerializer,
    RoleSerializer,
    TicketSerializer,
    TokenSerializer,
    TokenWithSecretSerializer,
)
from sessionsite.accounts.invites import create_invite
from sessionsite.accounts.invites import withdraw_invite as withdraw
from sessionsite.accounts.models import ApiToken, AuditEntry, Invite, Membership, Organisation, User
from sessionsite.common.access import RIGHTS
from sessionsite.common.api.fields import StrictSerializer
from sessionsite.common.api.permissions import lacks
from sessionsite.common.api.tables import CsvListed, csv_action
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
        "invites": "admin",
        "add_invite": "admin",
        "withdraw_invite": "admin",
    }

    def organisation_id_of(self, obj) -> int:
        return obj.pk

    def _rights_in(self, organisation: Organisation) -> frozenset[str]:
        return frozenset(right for right in RIGHTS if self.caller.may(right, organisation.pk))

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
        member = services.set_role(
            user_named(asked["user"]), organisation, asked["role"],
            by=self.by, within=self._rights_in(organisation),
        )  # fmt: skip
        return Response(MemberSerializer(member).data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Give a member another role", request=RoleSerializer, responses=MemberSerializer)
    @action(detail=True, methods=["patch"], url_path=f"members/(?P<username>{USERNAME})")
    def change_member(self, request, slug, username):
        member, asked = self._member(username), self.checked(RoleSerializer)
        within = self._rights_in(member.organisation)
        member = services.set_role(member.user, member.organisation, asked["role"], by=self.by, within=within)
        return Response(MemberSerializer(member).data)

    @extend_schema(summary="Remove a member", request=None, responses={204: None})
    @change_member.mapping.delete
    def remove_member(self, request, slug, username):
        member = self._member(username)
        services.set_role(member.user, member.organisation, None, by=self.by)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="Invitations that may still be accepted", responses=InviteSerializer(many=True))
    @action(detail=True, serializer_class=InviteSerializer, keyset=("-id",))
    def invites(self, request, slug):
        return self.listed(Invite.objects.usable().filter(organisation=self.get_object()))

    @extend_schema(
        summary="A one-time link by which somebody becomes a member; the only answer that holds it",
        request=NewInviteSerializer,
        responses={201: InviteWithLinkSerializer},
    )
    @invites.mapping.post
    def add_invite(self, request, slug):
        organisation, asked = self.get_object(), self.checked(NewInviteSerializer)
        life = timedelta(days=asked.pop("days"))
        invite, secret = create_invite(organisation, by=self.caller, life=life, **asked)
        link = request.build_absolute_uri(f"/invite/{secret}/")
        data = InviteWithLinkSerializer(invite, context={"request": request, "link": link}).data
        return Response(data, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(summary="Withdraw an invitation", request=None, responses={204: None})
    @action(detail=True, methods=["delete"], url_path="invites/(?P<invite>iv_[0-9a-z]{26})")
    def withdraw_invite(self, request, slug, invite):
        its = Invite.objects.filter(organisation=self.get_object())
        withdraw(get_object_or_404(its, key=invite), by=self.by)
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
    required_rights = {"create": "read", "destroy": "read", "revoke": "read"}

    def get_queryset(self):
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return self.queryset.shown_to(self.caller)

    def get_object(self) -> ApiToken:
        """One of those that the caller is shown: an admin's, or the caller's own, which both may revoke."""
        return get_object_or_404(self.get_queryset(), key=self.kwargs["key"])

    @extend_schema(
        summary="A new token, an admin's also for others; the only answer that holds its secret",
        request=NewTokenSerializer,
        responses={201: TokenWithSecretSerializer},
    )
    def create(self, request):
        asked = self.checked(NewTokenSerializer)
        organisation = organisation_for(self.caller, asked.pop("organisation", None), "read")
        token, secret = services.create_token(
            organisation, owner=self._owner(asked.pop("owner", None), organisation), by=self.by,
            within=frozenset(right for right in RIGHTS if self.caller.may(right, organisation.pk)), **asked,
        )  # fmt: skip
        context = {"request": request, "secret": secret}
        data = TokenWithSecretSerializer(token, context=context).data
        return Response(data, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    def _owner(self, name: str | None, organisation: Organisation) -> User | None:
        """Admins give tokens to anybody or to nobody; other people make them for themselves."""
        if self.caller.may("admin", organisation.pk):
            return user_named(name) if name else None
        if self.caller.user_id is None or name not in (None, self.by):
            raise lacks("admin")
        return user_named(self.by)

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


@extend_schema(tags=["organisations"])
@extend_schema_view(list=extend_schema(summary="Who changed what, newest first"))
class AuditViewSet(CsvListed, Listed, BaseViewSet):
    queryset = AuditEntry.objects.select_related("organisation")
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilters
    required_rights = {"list": "admin", "csv": "admin"}
    csv_name = "audit"
    csv_columns = (
        "at", "organisation", "actor", "sentence", "verb", "object_type", "object_key", "before", "after",
    )  # fmt: skip

    @csv_action("The list as CSV, a line per change")
    def csv(self, request):
        return self.csv_of(self.get_queryset())
