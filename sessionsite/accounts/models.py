"""Who may see and do what: users, organisations, memberships, tokens, tickets and the audit trail."""

from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from sessionsite.accounts.querysets import ApiTokenQuerySet, InviteQuerySet, OrganisationQuerySet
from sessionsite.common.access import RIGHTS, ROLES, VisibleQuerySet
from sessionsite.common.ids import new_key

SLUG = RegexValidator(r"\A[a-z0-9-]{1,64}\Z", "Use 1 to 64 of a-z, 0-9 and -.", code="bad_slug")
ROLE_CHOICES = [(role, role) for role in ROLES]


def new_token_key() -> str:
    return new_key("tk")


def new_invite_key() -> str:
    return new_key("iv")


class User(AbstractUser):
    """A person who logs in. last_seen_at: a minute exact."""

    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)


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


class Invite(models.Model):
    """A one-time link by which somebody becomes a member. Only the sha256 of its secret is kept."""

    key = models.CharField(max_length=40, unique=True, default=new_invite_key, editable=False)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="invites")
    role = models.CharField(max_length=16, choices=ROLE_CHOICES)
    note = models.CharField(max_length=200, blank=True, help_text="For whom it is meant.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    inviter = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, editable=False)
    used_by = models.CharField(max_length=200, blank=True, editable=False)
    withdrawn_at = models.DateTimeField(null=True, editable=False)

    objects = InviteQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self):
        return f"invitation of {self.organisation} as {self.role}"


class LoginTries(models.Model):
    """Tries to log in since `began_at`: from one address, for one account, or both; see logins.py.

    Names are hashed: people type passwords where a name belongs.
    """

    name = models.CharField(max_length=80, primary_key=True)
    began_at = models.DateTimeField(db_index=True)
    tries = models.IntegerField(default=0)

    def __str__(self):
        return f"{self.name}: {self.tries}"


class Ticket(models.Model):
    """A one-time pass for a socket or an event stream, good for 30 seconds.

    auth_hash: of the person's password when it was issued; a new one ends what the ticket opened.
    """

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    token = models.ForeignKey(ApiToken, models.CASCADE, null=True, related_name="+")
    auth_hash = models.CharField(max_length=128, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False) | Q(token__isnull=False), name="ticket_belongs_to_somebody"
            )
        ]

    def __str__(self):
        return f"ticket until {self.expires_at:%T}"


class RateWindow(models.Model):
    """How many requests of one kind somebody made in the minute that began then; see rates/stores.py.

    began: Unix seconds. granted, asked, cap: the last question to this row. Only PostgreSQL without Redis
    counts here, in a table that is not logged; SQLite has a file of its own for this.
    """

    name = models.CharField(max_length=80, primary_key=True)
    began = models.FloatField()
    taken = models.IntegerField()
    granted = models.IntegerField()
    asked = models.IntegerField()
    cap = models.IntegerField()

    def __str__(self):
        return f"{self.name}: {self.taken}"


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
