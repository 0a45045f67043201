"""The application that servers run."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sessionsite.settings")
django.setup(set_prefix=False)

from sessionsite.lanes import Site  # noqa: E402 - it needs the settings
from sessionsite.metrics import measured  # noqa: E402

application = measured(Site())
