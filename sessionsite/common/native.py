"""The helpers in C of the folder `native/`, where they have been compiled.

Each does what Python does beside it, in one call during which other threads run. Whoever uses one has the
same in Python for where it is missing.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from functools import cache

from django.conf import settings

BUILT = settings.BASE_DIR / "native" / "built"
INTERFACE = 2  # counts the changes of what the functions take
NAMES = ("files", "jpeg")


def is_used(name: str) -> bool:
    """Whether the helper `name` was compiled, and NATIVE is on."""
    return settings.NATIVE and _library(name) is not None


def function(name: str, function_name: str, result: type, *arguments: type) -> Callable | None:
    """One function of the helper `name`, whose types are as its source says; None where it is not used."""
    return _function(name, function_name, result, *arguments) if is_used(name) else None


@cache
def _function(name: str, function_name: str, result: type, *arguments: type) -> Callable:
    found = getattr(_library(name), function_name)
    found.restype, found.argtypes = result, arguments
    return found


@cache
def _library(name: str) -> ctypes.CDLL | None:
    try:
        found = ctypes.CDLL(str(BUILT / f"{name}.so"))
        is_ours = ctypes.c_int.in_dll(found, "interface").value == INTERFACE
    except (OSError, ValueError):  # it, or a library that it needs, is not there; or it is none of ours
        return None
    return found if is_ours else None


def texts(values: Sequence[str | os.PathLike | bytes]) -> ctypes.Array:
    """The values as an array of pointers, which keeps their bytes. A path must hold no zero byte."""
    return (ctypes.c_char_p * len(values))(*map(os.fsencode, values))
