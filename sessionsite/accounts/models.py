"""Who may see and do what: users, organisations, memberships, tokens, tickets and the audit trail."""

from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from sessionsite.accounts.querysets import ApiTokenQuerySet, OrganisationQuerySet
from sessionsite.common.access import RIGHTS, ROLES, VisibleQuerySet
from sessionsite.common.ids import new_key

SLUG = RegexValidator(r"\A[a-z0-9-]{1,64}\Z", "Use 1 to 64 of a-z, 0-9 and -.", code="bad_slug")
ROLE_CHOICES = [(role, role) for role in ROLES]


def new_token_key() -> str:
    return new_key("tk")


class User(AbstractUser):
    """A person who logs in."""


class Organisation(models.Model):
    """A party that owns monitors, sessions and pictures; nothing is shared between two of them."""

    slug = models.CharField(max_length=64, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    revision = models.BigIntegerField(
        default=0, help_text="Raised with every change of what the live wall lists."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OrganisationQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self):
        return self.name


class Membership(models.Model):
    """One user's role in one organisation."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=ROLE_CHOICES, default="viewer")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "organisation"], name="one_membership_per_organisation")
        ]

    def __str__(self):
        return f"{self.user} is {self.role} of {self.organisation}"


class ApiToken(models.Model):
    """A machine's key to one organisation. Only the sha256 of the secret is kept."""

    key = models.CharField(max_length=40, unique=True, default=new_token_key, editable=False)
    name = models.CharField(max_length=200)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="tokens")
    role = models.CharField(max_length=16, choices=ROLE_CHOICES, default="operator")
    scopes = models.JSONField(
        default=list, help_text=f"Any of {', '.join(RIGHTS)}; an empty list means all of the role."
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=16, editable=False, help_text="The first characters of the secret.")
    owner = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="api_tokens")
    created_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self):
        return f"{self.name} ({self.prefix}…)"


class Ticket(models.Model):
    """A one-time pass for a socket or an event stream, good for 30 seconds."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    token = models.ForeignKey(ApiToken, models.CASCADE, null=True, related_name="+")
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False) | Q(token__isnull=False), name="ticket_belongs_to_somebody"
            )
        ]

    def __str__(self):
        return f"ticket until {self.expires_at:%T}"


class AuditEntry(models.Model):
    """A change that no session's journal can hold. Append-only."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, null=True, related_name="audit_entries")
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=200)
    verb = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_key = models.CharField(max_length=100)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    objects = VisibleQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["organisation", "-id"], name="audit_newest_first"),
            models.Index(fields=["object_type", "object_key"], name="audit_by_object"),
        ]

    def __str__(self):
        return f"{self.actor} {self.verb} {self.object_type} {self.object_key}"
