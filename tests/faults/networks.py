"""A second host on this machine: a network namespace with one cable to it, which a test may pull."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class OtherHost:
    """address: of this machine, as the other host sees it."""

    name: str
    address: str

    def command(self, *words: str) -> list[str]:
        """The words of a command that runs `words` on the other host."""
        return ["ip", "netns", "exec", self.name, *words]

    def pull_the_cable(self) -> None:
        """From now on nothing that either side sends arrives, and neither is told."""
        _ip("-n", self.name, "link", "set", "cable", "down")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=20)


@contextlib.contextmanager
def other_host() -> Iterator[OtherHost]:
    """Skips the test where no network namespace may be made, and fails it when CI is set."""
    # One network of four addresses for each process of a test run.
    number = os.getpid() % 64
    near, far = (f"10.231.77.{4 * number + host}" for host in (1, 2))
    host = OtherHost(f"phone-{os.getpid()}", near)
    cable = f"ph{os.getpid()}"
    try:
        try:
            _ip("netns", "add", host.name)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "cable", "netns", host.name)
            _ip("addr", "add", f"{near}/30", "dev", cable)
            _ip("link", "set", cable, "up")
            _ip("-n", host.name, "addr", "add", f"{far}/30", "dev", "cable")
            _ip("-n", host.name, "link", "set", "cable", "up")
        except (OSError, subprocess.CalledProcessError) as error:
            why = f"no network namespace can be made: {getattr(error, 'stderr', '') or error}"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
        yield host
    finally:
        if shutil.which("ip"):
            for words in (("link", "del", cable), ("netns", "del", host.name)):
                subprocess.run(["ip", *words], capture_output=True, timeout=20)
