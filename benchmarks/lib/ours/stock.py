"""The same urls, middleware and views under Django's stock ASGI handler: what the pooled handler replaces."""

from __future__ import annotations

from django.core.asgi import get_asgi_application


class Stock:
    """Stock Django; the lifespan messages that it does not know are answered here."""

    def __init__(self) -> None:
        self._django = get_asgi_application()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "lifespan":
            await self._django(scope, receive, send)
            return
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})


application = Stock()
