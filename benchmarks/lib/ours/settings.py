"""The site's settings; BENCH_APPLICATION names the ASGI application that `serve` runs."""

import os

from benchmarks.lib.ours.objects import count_into_file
from sessionsite.settings import *  # noqa: F403

ASGI_APPLICATION = os.environ.get("BENCH_APPLICATION", "sessionsite.asgi.application")
count_into_file()
