"""A long JSON object read piece by piece: the items of its arrays one after the other."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator

from sessionsite.common.errors import DomainError

ITEM_CHARS_MAX = 1024 * 1024
_BLANK = " \t\n\r"


class BadJson(DomainError):
    code = "parse_error"


class _Text:
    """A window over the text; what was taken from it is forgotten."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._window = ""
        self._at = 0
        self._scan = json.JSONDecoder()

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        try:
            text = self._decoder.decode(piece or b"", final=piece is None)
        except UnicodeDecodeError as error:
            raise BadJson("The JSON is not UTF-8.") from error
        self._window, self._at = self._window[self._at :] + text, 0
        return piece is not None

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            while self._at < len(self._window) and self._window[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise BadJson(f"The JSON is not as expected: no {wanted!r} where one must stand.")
        self._at += 1

    def value(self):
        """The next value, whole. Raises BadJson when it is longer than a window may be."""
        self.peek()
        while True:
            try:
                found, end = self._scan.raw_decode(self._window, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._window) - self._at > ITEM_CHARS_MAX or not self._more():
                    raise BadJson("The JSON is damaged, or holds one value that is too long.") from error
                continue
            # A number may go on in the next piece.
            if end == len(self._window) and isinstance(found, (int, float)) and self._more():
                continue
            self._at = end
            return found


def items_of(pieces: Iterable[bytes]) -> Iterator[tuple[str, object]]:
    """(member, item) for each item of each array in the object, (member, value) for its other members.

    Raises BadJson.
    """
    text = _Text(pieces)
    text.take("{")
    while text.peek() != "}":
        name = text.value()
        text.take(":")
        if not isinstance(name, str):
            raise BadJson("The JSON is not an object.")
        if text.peek() == "[":
            text.take("[")
            while text.peek() != "]":
                yield name, text.value()
                if text.peek() != "]":
                    text.take(",")
            text.take("]")
        else:
            yield name, text.value()
        if text.peek() != "}":
            text.take(",")
    text.take("}")
