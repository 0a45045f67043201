"""What every REST view shares: the caller, the right, what they may see, and bodies that say their length."""

from __future__ import annotations

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from rest_framework import viewsets
from rest_framework.response import Response

from sessionsite.common.access import Caller
from sessionsite.common.api.errors import LengthRequired
from sessionsite.common.api.permissions import lacks, right_of
from sessionsite.common.errors import BodyTooLarge
from sessionsite.common.rows import Columns, rows_of


class BaseView:
    """Mixed into an APIView. `required_rights` names the right of each action (or method)."""

    required_rights: dict[str, str] = {}
    rate_scope = "ordinary"
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    def initial(self, request, *args, **kwargs):
        length = request.META.get("CONTENT_LENGTH") or ""
        if length.isdigit() and int(length) > settings.MAX_BODY_BYTES:
            raise BodyTooLarge(settings.MAX_BODY_BYTES)
        super().initial(request, *args, **kwargs)
        if not length and "chunked" in request.headers.get("Transfer-Encoding", "").lower():
            raise LengthRequired("Send the body with a Content-Length, not in chunks.")

    def perform_authentication(self, request):
        """Counted as soon as it is known who asks: also what is refused then."""
        super().perform_authentication(request)
        super().check_throttles(request)

    def check_throttles(self, request):
        """Done, see perform_authentication."""

    @property
    def caller(self) -> Caller:
        return self.request.auth

    @property
    def by(self) -> str:
        """The name that journals and the audit trail keep."""
        return self.caller.name

    def demand(self, right: str, organisation_id: int) -> None:
        """Raises NotAllowed unless the caller holds `right` there."""
        if not self.caller.may(right, organisation_id):
            raise lacks(right)

    def organisation_id_of(self, obj) -> int:
        return obj.organisation_id

    def checked(self, serializer_class, **kwargs) -> dict:
        """The request's body through `serializer_class`. Raises ValidationError."""
        context = {"request": self.request, "view": self}
        serializer = serializer_class(data=self.request.data, context=context, **kwargs)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data


class BaseViewSet(BaseView, viewsets.GenericViewSet):
    """Rows that the caller may see. `keyset`: the total order of its lists. `render`: JSON of a row."""

    keyset: tuple[str, ...] = ("-id",)
    # Columns: lists and single reads take values instead of models, and `render_rows` makes their JSON.
    row: Columns = ()
    filterset_class = None
    extra_params: tuple[str, ...] = ()

    def get_queryset(self):
        """What the caller may read, and for a single object also what they hold the action's right to."""
        queryset = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return queryset.none()
        right = right_of(self, self.request)
        visible = queryset.visible_to(self.caller, right)
        if self.kwargs and right != "read":
            visible |= queryset.visible_to(self.caller, "read")
        return visible

    def get_object(self):
        """The row that the address names. Raises Http404, also for a foreign one, and NotAllowed.

        Unlike the framework's, it is not filtered: the query of a detail address belongs to its action.
        """
        return self._named(self.get_queryset())

    def _named(self, queryset):
        obj = get_object_or_404(queryset, **{self.lookup_field: self.kwargs[self.lookup_field]})
        self.check_object_permissions(self.request, obj)
        return obj

    def shown(self) -> dict:
        """JSON of the row that the address names. Raises as get_object does."""
        if not self.row:
            return self.render(self.get_object())
        return self.render_rows([self._named(self.as_rows(self.get_queryset()))])[0]

    def as_rows(self, queryset):
        return rows_of(queryset, self.row) if self.row else queryset

    def render_rows(self, rows) -> list[dict]:
        return [self.render(row) for row in rows]

    def render(self, obj) -> dict:
        return self._shape.to_representation(obj)

    @cached_property
    def _shape(self):
        """One for all rows of a page: making a serializer copies its fields, which costs most of a row."""
        return self.get_serializer()

    def listed(self, queryset) -> Response:
        """One page of `queryset`, filtered as the query says."""
        rows = self.paginate_queryset(self.as_rows(self.filter_queryset(queryset)))
        return self.get_paginated_response(self.render_rows(rows))


class Listed:
    """Mixed into a viewset: GET of the collection."""

    def list(self, request, *args, **kwargs):
        return self.listed(self.get_queryset())


class Retrieved:
    """Mixed into a viewset: GET of one."""

    def retrieve(self, request, *args, **kwargs):
        return Response(self.shown())
