"""The fast lane of pictures: a plain ASGI entry, a small decode pool and one writer with group commit.

The rule itself is `monitoring.services.images`; Django views over it take what comes without a token. See
lane.py, door.py, writer.py.
"""

from monitoring.ingest.lane import PictureLane

__all__ = ["PictureLane"]
