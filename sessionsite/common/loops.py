"""Where an app names the work that must go on by itself; `sessionsite.background` runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_loops: dict[str, Loop] = {}


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
