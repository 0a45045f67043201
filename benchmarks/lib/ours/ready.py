"""Importing this makes Django ready; it comes before the import of any model."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.lib.ours.settings")
django.setup(set_prefix=False)
