"""Text in XML 1.0."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(value: str) -> str:
    """`value` as character data or a double-quoted attribute; what XML cannot hold becomes U+FFFD."""
    return escape(_NOT_IN_XML.sub("\ufffd", value), {'"': "&quot;"})
