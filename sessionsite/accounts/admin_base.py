"""What every admin page shares: rows of one's own organisations, rights by role, every change through a verb.

A verb's refusal stands beside its field: the form asks the verb itself, in a transaction that is undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import ShowFacets
from django.core.paginator import Paginator
from django.db import transaction
from django.template.response import TemplateResponse
from django.utils.functional import cached_property

from sessionsite.accounts.callers import caller_of_user
from sessionsite.accounts.models import Organisation
from sessionsite.common.access import Caller
from sessionsite.common.errors import DomainError

ROWS_MAX = 2000  # a list shows so many at most; who needs older ones filters
ACTION_MAX = 200
KEY_END = "z" * 32  # greater than whatever follows a key's beginning


def caller_of(request) -> Caller:
    """Who looks at this page, with their rights; read once per request."""
    if not hasattr(request, "admin_caller"):
        request.admin_caller = caller_of_user(request.user)
    return request.admin_caller


class BoundedPaginator(Paginator):
    """Never counts a whole table."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:ROWS_MAX].count()

    @property
    def is_cut(self) -> bool:
        return self.count >= ROWS_MAX


class VerbForm(forms.ModelForm):
    """Valid when the verb behind it takes the values; nothing stays of the try."""

    request = model_admin = None  # set by ScopedAdmin.get_form

    def clean(self):
        super().clean()
        if not self.errors and self.has_changed():
            try:
                with transaction.atomic():
                    self.model_admin.run_verb(self.request, self)
                    transaction.set_rollback(True)
            except DomainError as error:
                field = error.details.get("field")
                self.add_error(field if field in self.fields else None, error.message)
        return self.cleaned_data


class ScopedAdmin(admin.ModelAdmin):
    """Rows of the organisations where one may read; adding, changing and removing by the named right.

    A right of None means nobody does it here. Subclasses say in add_by_verb and change_by_verb which verb.
    search_by: beginning of the term -> lookup. Keys have one (`im_`) and are found by as much as is given;
    the lookup of the empty beginning takes everything else, whole unless it says otherwise.
    """

    view_right: str | None = "read"
    add_right: str | None = None
    change_right: str | None = None
    delete_right: str | None = None
    form = VerbForm
    paginator = BoundedPaginator
    list_per_page = 50
    list_max_show_all = 50
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    search_by: dict[str, str] = {}

    # -- who may ------------------------------------------------------------------------------------------

    def organisation_id_of(self, obj) -> int | None:
        *steps, last = self.model.objects.all().organisation_path.split("__")
        for step in steps:
            obj = getattr(obj, step)
        return obj.pk if last == "pk" else getattr(obj, f"{last}_id")

    def may(self, request, right: str | None, obj=None) -> bool:
        caller = caller_of(request)
        if right is None:
            return False
        if obj is None:
            return caller.everywhere or bool(caller.organisation_ids(right))
        return caller.may(right, self.organisation_id_of(obj))

    def has_module_permission(self, request):
        return self.may(request, self.view_right)

    def has_view_permission(self, request, obj=None):
        return self.may(request, self.view_right, obj)

    def has_add_permission(self, request):
        return self.may(request, self.add_right)

    def has_change_permission(self, request, obj=None):
        return self.may(request, self.change_right, obj)

    def has_delete_permission(self, request, obj=None):
        return self.may(request, self.delete_right, obj)

    def get_queryset(self, request):
        return super().get_queryset(request).visible_to(caller_of(request), self.view_right or "admin")

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if "queryset" not in kwargs and hasattr(db_field.related_model.objects.all(), "visible_to"):
            right = self.add_right if db_field.related_model is Organisation else "read"
            rows = db_field.related_model.objects.visible_to(caller_of(request), right or "read")
            kwargs["queryset"] = rows
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    # -- what changes -------------------------------------------------------------------------------------

    def add_by_verb(self, request, values: dict):
        """The new object. Raises DomainError."""
        raise NotImplementedError

    def change_by_verb(self, request, obj, changes: dict) -> None:
        """`obj` has the new values. Raises DomainError."""
        raise NotImplementedError

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"request": request, "model_admin": self})

    def run_verb(self, request, form):
        """The object that the verb made or changed, as it is now."""
        if form.instance.pk is None:
            return self.add_by_verb(request, dict(form.cleaned_data))
        obj = self.model.objects.get(pk=form.instance.pk)
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}
        self.change_by_verb(request, obj, changes)
        return obj

    def save_model(self, request, obj, form, change):
        if change and not form.has_changed():
            return
        obj.__dict__.update(self.run_verb(request, form).__dict__)

    def save_related(self, request, form, formsets, change):
        """Relations are the verbs' business too."""

    # -- what is listed -----------------------------------------------------------------------------------

    def get_search_fields(self, request):
        return tuple(self.search_by.values())  # their presence shows the search box

    def get_search_results(self, request, queryset, search_term):
        return self.found_by(queryset, search_term.strip()), False

    def found_by(self, queryset, term: str):
        if not term:
            return queryset
        if not term.isprintable():
            return queryset.none()
        for beginning, lookup in self.search_by.items():
            if not term.startswith(beginning):
                continue
            return self._with_key(queryset, lookup, term) if beginning else queryset.filter(**{lookup: term})
        return queryset.none()

    def _with_key(self, queryset, lookup: str, term: str):
        """Two queries on purpose: in one, planners start from the organisation and read all of its rows."""
        path, _, field = lookup.rpartition("__")
        model = self.model._meta.get_field(path).related_model if path else self.model
        begun = model.objects.filter(**{f"{field}__gte": term, f"{field}__lte": term + KEY_END})
        ids = list(begun.order_by(field).values_list("pk", flat=True)[:ROWS_MAX])
        return queryset.filter(**{f"{path or 'pk'}__in": ids})

    def get_actions(self, request):
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return {
            name: found
            for name, found in actions.items()
            if self.may(request, getattr(found[0], "right", self.view_right))
        }


@dataclass(frozen=True)
class Effect:
    """What an action would do to one row; `happens` False: it would do nothing, and `text` says why."""

    obj: object
    text: str
    happens: bool


def verb_action(
    *,
    title: str,
    right: str,
    effect: Callable[[object], tuple[bool, str]],
    verb: Callable[[object, str], object],
    about: str = "",
) -> Callable:
    """An admin action over one verb, with a page before it that lists what it will do to each row.

    effect(obj): whether something happens, and what. verb(obj, by) does it.
    """

    def action(model_admin, request, queryset):
        rows = list(queryset[: ACTION_MAX + 1])
        if len(rows) > ACTION_MAX:
            messages.error(request, f"Choose at most {ACTION_MAX} rows.")
            return None
        effects = [_effect(model_admin, request, obj) for obj in rows]
        if request.POST.get("confirmed") == "yes":
            _apply(model_admin, request, [each for each in effects if each.happens])
            return None
        context = {
            **model_admin.admin_site.each_context(request),
            "title": title,
            "about": about,
            "opts": model_admin.opts,
            "happening": [each for each in effects if each.happens],
            "left": [each for each in effects if not each.happens],
            "action": request.POST["action"],
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)

    def _effect(model_admin, request, obj) -> Effect:
        if not model_admin.may(request, right, obj):
            return Effect(obj, f"Nothing: you lack the right {right} here.", False)
        happens, text = effect(obj)
        return Effect(obj, text, happens)

    def _apply(model_admin, request, effects: list[Effect]) -> None:
        done = 0
        for each in effects:
            try:
                verb(each.obj, caller_of(request).name)
                done += 1
            except DomainError as error:
                messages.warning(request, f"{each.obj}: {error.message}")
        if done:
            messages.success(request, f"{title}: done for {done}.")

    action.__name__ = title.lower().replace(" ", "_")
    action.short_description = title
    action.right = right
    return action
