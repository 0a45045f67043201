"""The site's settings; BENCH_APPLICATION names the ASGI application that `serve` runs."""

import os

from benchmarks.lib.ours.memory import tell_memory
from sessionsite.settings import *  # noqa: F403

ASGI_APPLICATION = os.environ.get("BENCH_APPLICATION", "sessionsite.asgi.application")
tell_memory()
