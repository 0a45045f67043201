"""People, organisations, tokens and the audit trail in the admin."""

from __future__ import annotations

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AdminSplitDateTime
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from sessionsite.accounts import services
from sessionsite.accounts.admin_base import ScopedAdmin, VerbForm, caller_of, verb_action
from sessionsite.accounts.admin_parts import age, chip, moment
from sessionsite.accounts.forms import AdminLoginForm
from sessionsite.accounts.models import ApiToken, AuditEntry, Membership, Organisation, User
from sessionsite.accounts.sentences import sentence
from sessionsite.common.access import RIGHTS
from sessionsite.common.errors import DomainError

admin.site.unregister(Group)  # rights come from memberships
admin.site.login_form = AdminLoginForm
admin.site.enable_nav_sidebar = False  # wide lists need the room; the way back stands above each page


class PersonForm(UserChangeForm):
    """Nobody is shut out who is the last admin somewhere."""

    def clean_is_active(self):
        is_active = self.cleaned_data["is_active"]
        if self.instance.is_active and not is_active:
            alone = services.organisations_left_alone_by(self.instance)
            if names := ", ".join(alone.values_list("name", flat=True)):
                raise forms.ValidationError(
                    f"They are the last admin of {names}: make somebody else admin first."
                )
        return is_active


@admin.register(User)
class PeopleAdmin(UserAdmin):
    """Who may log in. Superusers alone see this: a name is not bound to one organisation."""

    form = PersonForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("username__startswith", "email__startswith")
    filter_horizontal = ()
    ordering = ("username",)
    readonly_fields = ("last_login", "date_joined", "roles")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser", "roles")}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )

    def save_model(self, request, obj, form, change):
        before = User.objects.filter(pk=obj.pk).first() if change else None
        services.change_person(obj, before, by=request.user.get_username())

    def user_change_password(self, request, id, form_url=""):
        with transaction.atomic():  # the form saves the password itself
            before = self.get_object(request, unquote(id))
            answer = super().user_change_password(request, id, form_url)
            if before is not None and request.method == "POST":
                after = User.objects.get(pk=before.pk)
                services.change_person(after, before, by=request.user.get_username())
        return answer

    @admin.display(description="Roles")
    def roles(self, user):
        members = user.memberships.select_related("organisation").order_by("organisation__slug")
        return ", ".join(f"{each.role} of {each.organisation}" for each in members) or "none"

    def has_module_permission(self, request):
        return request.user.is_active and request.user.is_superuser

    def has_view_permission(self, request, obj=None):
        return self.has_module_permission(request)

    has_change_permission = has_view_permission

    def has_delete_permission(self, request, obj=None):
        return False  # deactivate: their name stands in journals

    def has_add_permission(self, request):
        return self.has_module_permission(request)


@admin.register(Organisation)
class OrganisationAdmin(ScopedAdmin):
    list_display = ("name", "slug", "created_at")
    fields = ("slug", "name")
    ordering = ("slug",)
    search_by = {"": "slug"}
    search_help_text = "The whole slug."

    def has_add_permission(self, request):
        return caller_of(request).everywhere

    def get_readonly_fields(self, request, obj=None):
        return () if obj is None else ("slug", "name")

    def add_by_verb(self, request, values):
        return services.create_organisation(values["slug"], name=values["name"], by=caller_of(request).name)


class UnknownUser(DomainError):
    code = "unknown_user"


def user_named(name: str, *, field: str) -> User:
    """Raises UnknownUser, which names the form's `field`."""
    user = User.objects.filter(username=name).first()
    if user is None:
        raise UnknownUser("There is no user of this name.", field=field)
    return user


class MembershipForm(VerbForm):
    username = forms.CharField(max_length=150, help_text="The name this person logs in with.")


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    """Roles. Every change is in the audit trail."""

    form = MembershipForm
    add_right = change_right = delete_right = "admin"
    list_display = ("user", "organisation", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "organisation")
    ordering = ("organisation__slug", "user__username")
    search_by = {"": "user__username"}
    search_help_text = "The whole name of a user."

    def get_fields(self, request, obj=None):
        return ("username", "organisation", "role") if obj is None else ("user", "organisation", "role")

    def get_readonly_fields(self, request, obj=None):
        return () if obj is None else ("user", "organisation")

    def get_form(self, request, obj=None, change=False, **kwargs):
        if obj is not None:
            kwargs["form"] = VerbForm
        return super().get_form(request, obj, change=change, **kwargs)

    def add_by_verb(self, request, values):
        user = user_named(values["username"], field="username")
        return services.set_role(user, values["organisation"], values["role"], by=caller_of(request).name)

    def change_by_verb(self, request, obj, changes):
        services.set_role(obj.user, obj.organisation, changes["role"], by=caller_of(request).name)

    def delete_view(self, request, object_id, extra_context=None):
        try:
            return super().delete_view(request, object_id, extra_context)
        except DomainError as error:
            messages.error(request, error.message)
            return redirect("admin:accounts_membership_change", object_id)

    def delete_model(self, request, obj):
        services.set_role(obj.user, obj.organisation, None, by=caller_of(request).name)


class TokenForm(VerbForm):
    owner_name = forms.CharField(
        max_length=150,
        required=False,
        label="Owner",
        help_text="A user whose role limits the token; empty for a service or a camera.",
    )
    scopes = forms.MultipleChoiceField(
        choices=[(right, right) for right in RIGHTS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: everything the role may do.",
    )
    expires_at = forms.SplitDateTimeField(required=False, widget=AdminSplitDateTime, label="Expires at (UTC)")


def token_state(token: ApiToken) -> tuple[str, str]:
    """(shape, word)"""
    if token.revoked_at:
        return "ended", "revoked"
    if token.expires_at and token.expires_at <= timezone.now():
        return "ended", "expired"
    return "running", "usable"


def _revoking(token: ApiToken) -> tuple[bool, str]:
    if token.revoked_at:
        return False, "It is revoked already."
    used = f"last used {token.last_used_at:%Y-%m-%d %H:%M} UTC" if token.last_used_at else "never used"
    return True, f"{token.prefix}… ({used}) opens no door any more; its open sockets close within 5 s."


@admin.register(ApiToken)
class ApiTokenAdmin(ScopedAdmin):
    """Tokens: issued once, shown once, revoked for ever."""

    form = TokenForm
    view_right = add_right = "admin"
    list_display = (
        "name", "prefix", "organisation", "role", "scope_list", "state", "last_used", "expires_at",
        "created_by",
    )  # fmt: skip
    list_select_related = ("organisation",)
    list_filter = ("role", ("revoked_at", admin.EmptyFieldListFilter))
    ordering = ("-pk",)
    search_by = {"tk_": "key", "": "name"}
    search_help_text = "A token's whole name, or the beginning of its key."
    actions = [
        verb_action(
            title="Revoke tokens",
            right="admin",
            effect=_revoking,
            verb=lambda token, by: services.revoke_token(token, by=by),
            about="A revoked token cannot be brought back.",
        )
    ]

    def get_fields(self, request, obj=None):
        if obj is None:
            return ("name", "organisation", "role", "scopes", "owner_name", "expires_at")
        return (
            "name", "key", "prefix", "organisation", "role", "scope_list", "owner", "state", "created_by",
            "created_at", "expires_at", "last_used", "revoked_at",
        )  # fmt: skip

    def get_readonly_fields(self, request, obj=None):
        return () if obj is None else self.get_fields(request, obj)

    @admin.display(description="scopes")
    def scope_list(self, token):
        return ", ".join(token.scopes) or "all of the role"

    @admin.display(description="state")
    def state(self, token):
        return chip(*token_state(token))

    @admin.display(description="last used")
    def last_used(self, token):
        return age(token.last_used_at)

    def add_by_verb(self, request, values):
        caller, organisation = caller_of(request), values["organisation"]
        token, request.issued_secret = services.create_token(
            organisation,
            name=values["name"],
            role=values["role"],
            scopes=values["scopes"],
            expires_at=values["expires_at"],
            owner=user_named(values["owner_name"], field="owner_name") if values["owner_name"] else None,
            within=None if caller.everywhere else caller.rights.get(organisation.pk, frozenset()),
            by=caller.name,
        )
        return token

    def response_add(self, request, obj, post_url_continue=None):
        return issued(self, request, obj, request.issued_secret)


def issued(model_admin, request, token: ApiToken, secret: str) -> TemplateResponse:
    """The one page that shows a secret; it is kept nowhere."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Token issued",
        "opts": ApiToken._meta,
        "token": token,
        "secret": secret,
    }
    response = TemplateResponse(request, "admin/accounts/apitoken/issued.html", context)
    response["Cache-Control"] = "no-store"
    return response


@admin.register(AuditEntry)
class AuditEntryAdmin(ScopedAdmin):
    """What changed outside any session. Nothing here can be changed."""

    view_right = "admin"
    list_display = ("when", "words", "verb", "object_type", "object_key", "organisation")
    list_display_links = ("when",)
    list_select_related = ("organisation",)
    list_filter = (("at", admin.DateFieldListFilter),)
    ordering = ("-pk",)
    sortable_by = ()
    search_by = {"": "object_key"}
    search_help_text = "The whole key or slug of what was changed."
    fields = readonly_fields = (
        "when", "organisation", "actor", "verb", "object_type", "object_key", "before", "after",
    )  # fmt: skip

    def found_by(self, queryset, term):
        found = super().found_by(queryset, term)
        # (object_type, object_key) is the index: name the few types instead of reading the whole table.
        types = [model._meta.model_name for model in apps.get_models()]
        return found.filter(object_type__in=types) if term else found

    @admin.display(description="what")
    def words(self, entry):
        return sentence(entry)

    @admin.display(description="at", ordering="pk")
    def when(self, entry):
        return moment(entry.at)
