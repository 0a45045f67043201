"""Pictures with their boxes drawn, and what people say of them."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count
from django.template.loader import render_to_string
from django.utils.html import format_html

from monitoring import services
from monitoring.admin.monitors import thumbnail
from monitoring.models import Image, Monitor, Tag, TagChange
from sessionsite.accounts.admin_base import ScopedAdmin, caller_of, verb_action
from sessionsite.accounts.admin_parts import NOTHING, in_bytes, moment
from sessionsite.accounts.api.organisations import only_organisation
from sessionsite.accounts.models import Organisation
from sessionsite.common.few import narrowed

BROWSERS_SHOW = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
MONITORS_MAX = 200
HISTORY_ROWS = 50


class BoxCountingChangeList(ChangeList):
    """Counts the boxes of the page's pictures in one query; a join would count those of the whole table."""

    def get_results(self, request):
        super().get_results(request)
        images = list(self.result_list)
        rows = Tag.objects.filter(image__in=images).order_by().values_list("image")
        counts = dict(rows.annotate(count=Count("pk")))
        for image in images:
            image.box_count = counts.get(image.pk, 0)
        self.result_list = images


class MonitorFilter(admin.SimpleListFilter):
    """The caller's own monitors; a plain filter would list everybody's."""

    title, parameter_name = "monitor", "monitor"

    def lookups(self, request, model_admin):
        rows = Monitor.objects.visible_to(caller_of(request)).order_by("slug")
        return list(rows.values_list("slug", "slug")[:MONITORS_MAX])

    def queryset(self, request, queryset):
        return queryset.filter(monitor__slug=self.value()) if self.value() else queryset


class DeletedFilter(admin.SimpleListFilter):
    title, parameter_name = "deleted", "deleted"

    def lookups(self, request, model_admin):
        return [("yes", "deleted"), ("all", "all")]

    def queryset(self, request, queryset):
        if self.value() == "yes":
            having = Image.objects.filter(deleted_at__isnull=False).values_list("pk", flat=True)
            return narrowed(queryset.filter(deleted_at__isnull=False), having)
        return queryset if self.value() == "all" else queryset.filter(deleted_at__isnull=True)

    def choices(self, changelist):
        kept, *others = super().choices(changelist)
        return [{**kept, "display": "kept"}, *others]


def _deleting(image: Image) -> tuple[bool, str]:
    if image.deleted_at:
        return False, "It is deleted already."
    if image.review in Image.SETTLED:
        return False, f"It was {image.review}: reopen its review first."
    return (
        True,
        f"It goes out of sight with its boxes ({in_bytes(image.size_bytes)} stay) and can be restored.",
    )


def _restoring(image: Image) -> tuple[bool, str]:
    return (True, "It is back with its boxes.") if image.deleted_at else (False, "It is not deleted.")


def _pinning(pinned: bool):
    def effect(image: Image) -> tuple[bool, str]:
        if (image.pinned_at is not None) == pinned:
            return False, "It is pinned already." if pinned else "It is not pinned."
        return True, "Retention keeps it." if pinned else "Retention may remove it again."

    return effect


def _reviewing(word: str):
    def effect(image: Image) -> tuple[bool, str]:
        if image.review == word:
            return False, f"It is {word} already."
        return True, f"From {image.review} to {word}."

    return effect


def _review(word: str):
    return verb_action(
        title=f"Mark as {word}",
        right="review",
        effect=_reviewing(word),
        verb=lambda image, by: services.change_image(image, by=by, review=word),
    )


class SplitFilter(admin.ChoicesFieldListFilter):
    """By the index of the splits: most pictures have none."""

    def queryset(self, request, queryset):
        chosen = super().queryset(request, queryset)
        if not self.lookup_val or not all(self.lookup_val):
            return chosen
        having = Image.objects.exclude(split="").filter(split__in=self.lookup_val)
        return narrowed(chosen, having.values_list("pk", flat=True))


@admin.register(Image)
class ImageAdmin(ScopedAdmin):
    change_right = "annotate"
    list_display = ("thumb", "label_or_key", "label", "boxes", "review", "split", "place", "taken", "size")
    list_display_links = ("thumb", "label_or_key")
    list_select_related = ("monitor", "organisation")
    list_filter = (
        DeletedFilter,
        "review",
        ("split", SplitFilter),
        MonitorFilter,
        ("received_at", admin.DateFieldListFilter),
    )
    sortable_by = ()
    search_by = {"im_": "key", "se_": "session__key", "": "monitor__slug"}
    search_help_text = "The beginning of a picture's or a session's key, or a monitor's whole slug."
    actions = [
        _review("accepted"),
        _review("rejected"),
        _review("doubtful"),
        _review("unreviewed"),
        verb_action(
            title="Undo my last edit",
            right="review",
            effect=lambda image: (True, "The last edit of yours is taken back by a new one."),
            verb=lambda image, by: services.undo(image, by=by),
            about="Marks, labels and boxes; a picture without an edit of yours stays as it is.",
        ),
        verb_action(
            title="Delete pictures",
            right="annotate",
            effect=_deleting,
            verb=lambda image, by: services.delete_image(image, by=by),
            about="Deleted pictures can be restored until they are purged.",
        ),
        verb_action(
            title="Pin pictures",
            right="annotate",
            effect=_pinning(True),
            verb=lambda image, by: services.pin_image(image, by=by),
            about="Pinned pictures are never removed by retention.",
        ),
        verb_action(
            title="Unpin pictures",
            right="annotate",
            effect=_pinning(False),
            verb=lambda image, by: services.pin_image(image, by=by, pinned=False),
        ),
        verb_action(
            title="Restore pictures",
            right="annotate",
            effect=_restoring,
            verb=lambda image, by: services.restore_image(image, by=by),
        ),
    ]
    fields = (
        "picture", "key", "label", "review", "review_comment", "reviewed_by", "split", "name", "place",
        "session_link", "dataset", "taken", "received", "measures", "sha256",
        "author", "deleted_at", "box_table", "history",
    )  # fmt: skip

    def get_readonly_fields(self, request, obj=None):
        writable = {"label", "split"} | (
            {"review", "review_comment"} if self.may(request, "review", obj) else set()
        )
        return tuple(name for name in self.fields if name not in writable)

    def get_changelist(self, request, **kwargs):
        return BoxCountingChangeList

    def get_ordering(self, request):
        """By a column with an index for what is asked: a key, the deletion, time where it is narrow."""
        if request.GET.get("q", "").strip().startswith("im_"):
            return ("-key",)
        if request.GET.get("deleted") == "yes":
            return ("-deleted_at", "-pk")
        is_narrow = "monitor" in request.GET or not caller_of(request).everywhere
        return ("-received_at", "-pk") if is_narrow or Organisation.objects.count() == 1 else ("-pk",)

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        if request.GET.get("deleted") == "yes":  # in the order of their deletion, by its index
            return rows
        return only_organisation(rows, caller_of(request))

    @admin.display(description="")
    def thumb(self, image):
        return thumbnail(f"/api/v1/images/{image.key}/thumbnail/", "")

    @admin.display(description="picture")
    def label_or_key(self, image):
        return image.name or image.key

    @admin.display(description="boxes")
    def boxes(self, image):
        return image.box_count

    @admin.display(description="monitor")
    def place(self, image):
        return image.monitor.slug if image.monitor else "–"

    @admin.display(description="taken")
    def taken(self, image):
        return moment(image.taken_at)

    @admin.display(description="received")
    def received(self, image):
        return moment(image.received_at)

    @admin.display(description="size")
    def size(self, image):
        return in_bytes(image.size_bytes)

    @admin.display(description="measures")
    def measures(self, image):
        return (
            f"{image.width} × {image.height}, {image.format}, {in_bytes(image.size_bytes)} with its thumbnail"
        )

    @admin.display(description="session")
    def session_link(self, image):
        if image.session is None:
            return NOTHING
        address = f"/admin/sessions_app/session/{image.session_id}/change/"
        return format_html('<a href="{}">{}</a>', address, image.session)

    @admin.display(description="picture")
    def picture(self, image):
        """The picture with its boxes over it; where browsers cannot show the format, its thumbnail."""
        kind = "file" if image.format in BROWSERS_SHOW else "thumbnail"
        context = {"image": image, "tags": image.tags.all(), "address": f"/api/v1/images/{image.key}/{kind}/"}
        return render_to_string("admin/monitoring/image/picture.html", context)

    @admin.display(description="boxes")
    def box_table(self, image):
        return render_to_string(
            "admin/monitoring/image/boxes.html", {"image": image, "tags": image.tags.all()}
        )

    @admin.display(description="edits")
    def history(self, image):
        changes = TagChange.objects.filter(image=image).order_by("-pk")[:HISTORY_ROWS]
        return render_to_string("admin/monitoring/image/edits.html", {"changes": changes})

    def change_by_verb(self, request, obj, changes):
        services.change_image(obj, by=caller_of(request).name, **changes)
