"""Shapes of organisations, members, tokens, tickets and audit rows."""

from rest_framework import serializers

from sessionsite.accounts.invites import LIFE, LIFE_DAYS_MAX
from sessionsite.accounts.sentences import sentence
from sessionsite.common.access import RIGHTS, ROLES
from sessionsite.common.api.fields import MomentField, StrictSerializer, TextField


class OrganisationSerializer(serializers.Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()
    revision = serializers.IntegerField()
    created_at = MomentField()
    rights = serializers.SerializerMethodField(help_text="What the caller may do there.")

    def get_rights(self, organisation) -> list[str]:
        caller = self.context["request"].auth
        return [right for right in RIGHTS if caller.may(right, organisation.pk)]


class MemberSerializer(serializers.Serializer):
    user = serializers.CharField(source="user.username")
    role = serializers.ChoiceField(choices=ROLES)
    created_at = MomentField()
    last_seen_at = MomentField(source="user.last_seen_at", allow_null=True)


class InviteSerializer(serializers.Serializer):
    key = serializers.CharField()
    role = serializers.ChoiceField(choices=ROLES)
    note = serializers.CharField()
    created_by = serializers.CharField()
    created_at = MomentField()
    expires_at = MomentField()


class InviteWithLinkSerializer(InviteSerializer):
    link = serializers.SerializerMethodField(help_text="Told this once; good for one person.")

    def get_link(self, invite) -> str:
        return self.context["link"]


class NewInviteSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=ROLES)
    note = TextField(max_length=200, required=False, allow_blank=True, help_text="For whom it is meant.")
    days = serializers.IntegerField(min_value=1, max_value=LIFE_DAYS_MAX, default=LIFE.days)


class NewMemberSerializer(StrictSerializer):
    user = TextField(max_length=150, help_text="The user name of somebody who can log in.")
    role = serializers.ChoiceField(choices=ROLES)


class RoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=ROLES)


class TokenSerializer(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    organisation = serializers.CharField(source="organisation.slug")
    role = serializers.ChoiceField(choices=ROLES)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=RIGHTS), help_text="An empty list means all of the role."
    )
    prefix = serializers.CharField(help_text="The first characters of the secret.")
    owner = serializers.CharField(source="owner.username", allow_null=True)
    created_by = serializers.CharField()
    created_at = MomentField()
    expires_at = MomentField(allow_null=True)
    last_used_at = MomentField(allow_null=True)
    revoked_at = MomentField(allow_null=True)


class TokenWithSecretSerializer(TokenSerializer):
    secret = serializers.SerializerMethodField(help_text="Shown this once; only its hash is kept.")

    def get_secret(self, token) -> str:
        return self.context["secret"]


class NewTokenSerializer(StrictSerializer):
    name = TextField(max_length=200)
    role = serializers.ChoiceField(choices=ROLES, default="operator")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=RIGHTS), max_length=len(RIGHTS), default=list
    )
    organisation = TextField(max_length=64, required=False)
    owner = TextField(max_length=150, required=False, help_text="A member, whose role then limits the token.")
    expires_at = MomentField(required=False, allow_null=True)


class TicketSerializer(serializers.Serializer):
    ticket = serializers.CharField()
    expires_at = MomentField()


class AuditEntrySerializer(serializers.Serializer):
    at = MomentField()
    organisation = serializers.CharField(source="organisation.slug", allow_null=True)
    actor = serializers.CharField()
    sentence = serializers.SerializerMethodField(help_text="The change in words.")
    verb = serializers.CharField()
    object_type = serializers.CharField()
    object_key = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()

    def get_sentence(self, entry) -> str:
        return sentence(entry)
