"""Pages about people: members, invitations, tokens, the audit trail, logging in, a new password."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth import views as auth_views
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from monitoring.pages import _paged, _require, chosen_organisation, page, show
from sessionsite.accounts import invites, services
from sessionsite.accounts.api.filters import AuditFilters
from sessionsite.accounts.callers import digest_of
from sessionsite.accounts.forms import LoginForm, NewPasswordForm, NewPersonForm
from sessionsite.accounts.logins import TooManyTries, count_try
from sessionsite.accounts.models import ApiToken, AuditEntry, Invite, Membership
from sessionsite.accounts.sentences import TYPES, VERBS, about, changes_of, sentence, verb_words
from sessionsite.accounts.services import FIRST_PASSWORD, caller_of_user
from sessionsite.common.access import RIGHTS, ROLE_RIGHTS
from sessionsite.common.errors import DomainError

INVITE = "invite"  # where a login session keeps the digest of an invitation
SEEN_LATELY = timedelta(minutes=2)
ROLES = [
    ("viewer", "looks"),
    ("operator", "looks, sends pictures, starts, stops, tags"),
    ("reviewer", "as operator, and reviews"),
    ("admin", "everything in this organisation"),
]
RIGHT_WORDS = {
    "read": "look at everything",
    "ingest": "send pictures and frames",
    "control": "start and stop",
    "annotate": "label and draw boxes",
    "review": "accept and reject",
    "admin": "manage monitors, members and tokens",
}
PERIODS = [("", "any time"), ("1", "the last day"), ("7", "the last week"), ("30", "the last month")]


@page
def members(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    _require(caller, "admin", organisation)
    found = Membership.objects.filter(organisation=organisation).select_related("user")
    return show(
        request, "members", organisation, caller, roles=ROLES, members=found.order_by("user__username"),
        seen_since=timezone.now() - SEEN_LATELY,
        invites=Invite.objects.usable().filter(organisation=organisation),
    )  # fmt: skip


@page
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own tokens; an admin sees those of the whole organisation below them."""
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    its = ApiToken.objects.filter(organisation=organisation).select_related("owner").order_by("-pk")
    is_admin = caller.may("admin", organisation.pk)
    return show(
        request, "tokens", organisation, caller, is_admin=is_admin, now=timezone.now(),
        own=its.filter(owner=request.user),
        others=its.exclude(owner=request.user) if is_admin else its.none(),
        token_roles=[(role, words) for role, words in ROLES if _may_give(caller, role, organisation)],
        rights_of_roles={role: sorted(rights, key=RIGHTS.index) for role, rights in ROLE_RIGHTS.items()},
        scopes=[(right, RIGHT_WORDS[right]) for right in RIGHTS if caller.may(right, organisation.pk)],
    )  # fmt: skip


def _may_give(caller, role: str, organisation) -> bool:
    return all(caller.may(right, organisation.pk) for right in ROLE_RIGHTS[role])


@page
def audit(request: HttpRequest) -> HttpResponse:
    caller = caller_of_user(request.user)
    organisation = chosen_organisation(request, caller)
    _require(caller, "admin", organisation)
    asked = {name: request.GET.get(name, "")[:200] for name in ("actor", "verb", "object_type", "object_key")}
    days = request.GET.get("days", "")
    days = days if days in dict(PERIODS) else ""
    filters = {name: value for name, value in asked.items() if value}
    if days:
        filters["after"] = (timezone.now() - timedelta(days=int(days))).isoformat()
    its = AuditEntry.objects.filter(organisation=organisation).select_related("organisation")
    rows, newer, older = _paged(request, AuditFilters(filters, its).qs, ["-pk"])
    return show(
        request, "audit", organisation, caller, newer=newer, older=older, asked=asked | {"days": days},
        is_filtered=bool(filters), periods=PERIODS, types=sorted(TYPES.items()),
        verbs=[(verb, verb_words(verb)) for verb in sorted(VERBS)],
        entries=[
            {"row": row, "sentence": sentence(row), "about": about(row), "changes": changes_of(row)}
            for row in rows
        ],
        csv="/api/v1/audit/csv/?" + urlencode(filters | {"organisation": organisation.slug, "bom": "true"}),
    )  # fmt: skip


class LoginView(auth_views.LoginView):
    """Says where the password of the first user lies, for as long as its file is there."""

    form_class = LoginForm
    redirect_authenticated_user = False

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        file = settings.DATA_DIR / FIRST_PASSWORD
        hint = f"{settings.DATA_DIR.name}/{FIRST_PASSWORD}" if file.exists() else ""
        return super().get_context_data(**kwargs) | {"first_password": hint, "page_name": "login"}

    def form_invalid(self, form) -> HttpResponse:
        response = super().form_invalid(form)
        if form.refusal is not None:
            response.status_code = form.refusal.status
            response["Retry-After"] = str(form.refusal.retry_after_s)
        return response


@method_decorator(sensitive_post_parameters(), name="dispatch")
class PasswordView(auth_views.PasswordChangeView):
    """A new password; every other login of this person ends."""

    form_class = NewPasswordForm
    http_method_names = ("get", "post")

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"address": self.request.META.get("REMOTE_ADDR", "")}

    def form_valid(self, form) -> HttpResponse:
        services.change_password(self.request.user, form.cleaned_data["new_password1"])
        update_session_auth_hash(self.request, self.request.user)
        return redirect(f"{self.request.path}?done=1")

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        caller = caller_of_user(self.request.user)
        organisation = chosen_organisation(self.request, caller)
        is_done = "done" in self.request.GET and not context["form"].is_bound
        return show(self.request, "password", organisation, caller, form=context["form"], is_done=is_done)


@never_cache
@require_safe
def open_invite(request: HttpRequest, secret: str) -> HttpResponse:
    """The one address with a secret in it: kept as a digest, and left at once."""
    digest = digest_of(secret)
    if Invite.objects.usable().filter(digest=digest).exists():
        request.session[INVITE] = digest
    else:
        request.session.pop(INVITE, None)
    answer = redirect("invite")
    # Not on the page itself: a form of such a page has the origin `null`, which the CSRF check refuses.
    answer["Referrer-Policy"] = "no-referrer"
    return answer


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: HttpRequest) -> HttpResponse:
    """What one is invited to; accepted by a person who is logged in, or by a new one."""
    try:
        found = invites.find_invite(request.session.get(INVITE, ""))
        if request.method == "POST":
            return _accept(request, found)
        return _show_invite(request, found, form=NewPersonForm())
    except invites.InviteOver as error:
        request.session.pop(INVITE, None)
        return _show_invite(request, None, refusal=error)
    except invites.AlreadyMember as error:
        return _show_invite(request, None, refusal=error)


def _accept(request: HttpRequest, found: Invite) -> HttpResponse:
    digest = request.session[INVITE]
    if request.user.is_authenticated:
        invites.join(digest, request.user)
    else:
        form = NewPersonForm(request.POST)
        if not form.is_valid():
            return _show_invite(request, found, form=form)
        try:
            user = _new_person(request, digest, form.cleaned_data)
        except (invites.NameTaken, TooManyTries) as error:
            form.refuse(error)
            return _show_invite(request, found, form=form)
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session.pop(INVITE, None)
    return HttpResponseRedirect(f"/?organisation={found.organisation.slug}")


def _new_person(request: HttpRequest, digest: str, asked: dict):
    """Raises NameTaken, and TooManyTries: a link is no way to try which names there are."""
    try:
        return invites.join_as_new(digest, username=asked["username"], password=asked["password"])
    except invites.NameTaken:
        count_try(f"invite {digest}", request.META.get("REMOTE_ADDR", ""))
        raise


def _show_invite(
    request: HttpRequest, found: Invite | None, *, form=None, refusal: DomainError | None = None
):
    context = {"invite": found, "form": form, "refusal": refusal, "page_name": "invite"}
    context["role_words"] = dict(ROLES).get(found.role) if found else ""
    is_bad = form is not None and form.is_bound
    return render(
        request,
        "monitoring/invite.html",
        context,
        status=refusal.status if refusal else 400 if is_bad else 200,
    )
