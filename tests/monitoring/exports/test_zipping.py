"""The zip writer alone: other readers open what it wrote, at every size."""

from __future__ import annotations

import io
import subprocess
import zipfile
from datetime import UTC, datetime

import pytest

from monitoring.exports.zipping import WHOLE_BYTES, ZipStream

NOON = datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)


def archive_of(*files, pictures=()) -> bytes:
    stream = ZipStream(NOON)
    pieces = [piece for path, content in files for piece in stream.file(path, content)]
    for path, data in pictures:
        pieces += stream.picture(path, io.BytesIO(data), NOON)
    return b"".join([*pieces, *stream.end()])


def test_small_files_and_pictures_have_their_sizes_in_front():
    data = archive_of(("a/ü.txt", [b"x" * 1000]), ("empty", []), pictures=[("p.jpg", bytes(range(256)) * 9)])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.read("a/ü.txt") == b"x" * 1000 and archive.read("empty") == b""
        packed, _, picture = archive.infolist()
        assert packed.compress_type == zipfile.ZIP_DEFLATED and packed.compress_size < 100
        assert picture.compress_type == zipfile.ZIP_STORED and picture.flag_bits & 8 == 0
        assert picture.date_time == (2026, 1, 31, 12, 0, 30)
        assert packed.external_attr >> 16 == 0o100644


def test_a_long_file_is_written_in_pieces_and_read_back_whole(tmp_path):
    piece = bytes(range(256)) * 64
    count = 8 * WHOLE_BYTES // len(piece)
    data = archive_of(("long.bin", (piece for _ in range(count))), ("after.txt", [b"after"]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.read("long.bin") == piece * count and archive.read("after.txt") == b"after"
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    shown = subprocess.run(["unzip", "-t", str(path)], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stdout


@pytest.mark.parametrize("count", [65_534, 65_536])
def test_more_files_than_16_bits_count(count):
    data = archive_of(*((f"{number}", [b""]) for number in range(count)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.infolist()) == count and archive.read(str(count - 1)) == b""


def test_an_archive_of_more_than_4_gib_has_wide_offsets():
    stream = ZipStream(NOON)
    [*_] = stream.file("first", [b"1"])
    stream._offset += 5 * 2**30  # as if pictures had passed
    [*_] = stream.file("late", [b"2"])
    tail = b"".join(stream.end())
    assert b"PK\6\6" in tail and b"PK\6\7" in tail
    start = tail.index(b"PK\1\2", 1)  # of `late`
    extra = tail[start + 46 + len("late") :][:12]
    assert int.from_bytes(extra[:2], "little") == 1
    assert int.from_bytes(extra[4:12], "little") > 5 * 2**30
