"""Monitors, pictures, datasets and sessions in the admin. Every change of state is a verb of the services."""

from monitoring.admin import datasets, images, monitors, rigs, sessions

__all__ = ["datasets", "images", "monitors", "rigs", "sessions"]
