"""Where an app names the work that must go on by itself; `sessionsite.background` runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_loops: dict[str, Loop] = {}
_services: dict[str, Service] = {}


@dataclass(frozen=True)
class Loop:
    """`func()` is called every `interval_s` seconds in a thread; it does one step and returns."""

    name: str
    interval_s: float
    func: Callable[[], object]
    leased: bool = True


def register_loop(name: str, interval_s: float, func: Callable[[], object], leased: bool = True) -> None:
    """Have `func` called every `interval_s` seconds while the server runs; called from AppConfig.ready.

    leased: one process of all does it (the lease is kept in the database); otherwise every process does.
    """
    if name in _loops:
        raise ValueError(f"The loop {name!r} is registered twice.")
    if interval_s <= 0:
        raise ValueError(f"The loop {name!r} needs an interval above zero.")
    _loops[name] = Loop(name, interval_s, func, leased)


def unregister_loop(name: str) -> None:
    _loops.pop(name, None)


def registered_loops() -> list[Loop]:
    """In the order of their names."""
    return sorted(_loops.values(), key=lambda loop: loop.name)


@dataclass(frozen=True)
class Service:
    """`run(stopping)` goes on as an asyncio task until `stopping` is set; what fails is begun anew."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]


def register_service(name: str, run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Have `run(stopping)` go on in every process that runs the loops; called from AppConfig.ready."""
    if name in _services:
        raise ValueError(f"The service {name!r} is registered twice.")
    _services[name] = Service(name, run)


def registered_services() -> list[Service]:
    """In the order of their names."""
    return sorted(_services.values(), key=lambda service: service.name)
