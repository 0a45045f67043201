"""daphne as an installed app, with Twisted on uvloop, the event loop that `serve` has under uvicorn too."""

from __future__ import annotations

import sys

import uvloop
from twisted.internet import asyncioreactor

# The reactor of a process is the first one installed, and importing daphne installs the standard library's.
# Where daphne's own command started this process, that has happened.
if "twisted.internet.reactor" not in sys.modules:
    asyncioreactor.install(uvloop.new_event_loop())

from daphne.apps import DaphneConfig  # noqa: E402


class FastDaphneConfig(DaphneConfig):
    """daphne's own app in all else."""
