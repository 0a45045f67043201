"""Numbers out of NINA's image statistics. All of them are None where NINA says nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from monitoring.nina.events import Event, number, read_local, scalar, us_of

_ARC_SECONDS = re.compile(r"\(\s*([0-9]+(?:[.,][0-9]+)?)\s*[\"″”']?\s*\)")
UNKNOWN = "unknown"  # the key under which a frame without a filter is counted


@dataclass(frozen=True)
class Image:
    """One saved image. `begun_us` is when its exposure began; None without statistics."""

    type: str | None
    filter: str | None
    exposure_s: float | None
    temperature: float | None
    hfr: float | None
    stars: int | None
    rms_arcsec: float | None
    begun_us: int | None
    saved_us: int
    gain: float | None
    offset: float | None
    median: float | None
    target: str | None
    filename: str | None


def image_of(event: Event, zone: tzinfo) -> Image:
    """The image that an IMAGE-SAVE tells of."""
    raw = event.statistics or {}
    kind = scalar(raw.get("ImageType"))
    exposure_s = _at_least_zero(raw.get("ExposureTime"))
    date = read_local(raw.get("Date"), zone)
    saved_us = us_of(date) if date else event.at_us
    return Image(
        type=kind.upper() if isinstance(kind, str) else ("LIGHT" if raw else None),
        filter=_text(raw.get("Filter")),
        exposure_s=exposure_s,
        temperature=number(raw.get("Temperature")),
        hfr=_above_zero(raw.get("HFR")),
        stars=_at_least_zero(raw.get("Stars")),
        rms_arcsec=rms_arcsec(raw.get("RmsText")),
        begun_us=saved_us - round((exposure_s or 0) * 1_000_000) if raw else None,
        saved_us=saved_us,
        gain=number(raw.get("Gain")),
        offset=number(raw.get("Offset")),
        median=number(raw.get("Median")),
        target=_text(raw.get("TargetName")),
        filename=_text(raw.get("Filename")),
    )


def rms_arcsec(text: Any) -> float | None:
    """The arc seconds in `Tot: 0.26 (0.42")`; None when nothing was guided."""
    found = _ARC_SECONDS.search(text) if isinstance(text, str) and len(text) < 200 else None
    value = float(found.group(1).replace(",", ".")) if found else 0.0
    return value or None


def exposure_key(exposure_s: float | None) -> str:
    """`180` for 180.0 and `2.4` for 2.4: how exposures are grouped."""
    return UNKNOWN if exposure_s is None else f"{exposure_s:g}"


def _text(value: Any) -> str | None:
    value = scalar(value)
    return value.strip() if isinstance(value, str) else None


def _at_least_zero(value: Any) -> float | None:
    value = number(value)
    return value if value is not None and 0 <= value < 1e9 else None


def _above_zero(value: Any) -> float | None:
    return _at_least_zero(value) or None
