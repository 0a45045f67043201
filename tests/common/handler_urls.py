"""Views that show how the request stack treats a request."""

import threading

from django.db import connection
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

closed: list[str] = []
meeting = threading.Barrier(2)


@csrf_exempt
def echo(request):
    return JsonResponse({"size": len(request.body), "method": request.method, "path": request.path})


def fail(request):
    raise ZeroDivisionError("the secret is 4711")


def where(request):
    connection.ensure_connection()
    return JsonResponse({"thread": threading.get_ident(), "connection": id(connection.connection)})


def meet(request):
    """Answered when two have asked."""
    return JsonResponse({"met": meeting.wait(timeout=10) in (0, 1)})


def cookies(request):
    response = HttpResponse("seen " + ",".join(sorted(request.COOKIES)))
    response.set_cookie("one", "1", httponly=True)
    response.set_cookie("two", "2 and a half")
    return response


class _Pieces:
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    def __iter__(self):
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        closed.append("pieces")


def stream(request):
    size, count = int(request.GET["size"]), int(request.GET["count"])
    return StreamingHttpResponse(_Pieces([b"x" * size] * count + [b""] + [b"end"]))


def file(request):
    return FileResponse(open(__file__, "rb"))  # noqa: SIM115 - the response closes it


urlpatterns = [
    path("echo", echo),
    path("fail", fail),
    path("where", where),
    path("meet", meet),
    path("cookies", cookies),
    path("stream", stream),
    path("file", file),
]
