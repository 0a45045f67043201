"""Flats and darks of a session: counted apart from the images of the sky."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from monitoring.nina.stats import Image, exposure_key


@dataclass(frozen=True)
class Flats:
    filter: str | None = None
    brightness: float | None = None
    count: int = 0
    started_us: int | None = None
    last_us: int | None = None

    def after_image(self, image: Image, current_filter: str | None) -> dict[str, Any]:
        """The same with one flat more."""
        return asdict(
            replace(
                self,
                filter=image.filter or current_filter,
                count=self.count + 1,
                started_us=self.started_us or image.begun_us or image.saved_us,
                last_us=image.saved_us,
            )
        )


@dataclass(frozen=True)
class Darks:
    exposure_s: float | None = None
    groups: dict[str, int] = field(default_factory=dict)
    count: int = 0
    started_us: int | None = None
    last_us: int | None = None

    def after_image(self, image: Image) -> dict[str, Any]:
        """The same with one dark more."""
        key = exposure_key(image.exposure_s)
        return asdict(
            replace(
                self,
                exposure_s=image.exposure_s,
                groups={**self.groups, key: self.groups.get(key, 0) + 1},
                count=self.count + 1,
                started_us=self.started_us or image.begun_us or image.saved_us,
                last_us=image.saved_us,
            )
        )
