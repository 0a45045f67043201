"""The file of a backup: what was written is read, and every damage is noticed before its end is reached."""

from __future__ import annotations

import hashlib
import io
import tarfile

import orjson
import pytest

from sessionsite.backup.archive import BadBackup, Reader, Writer

DATABASE = b"not really a database" * 100
FILES = {
    f"default/2026/01/02/im_{number:04}.jpg": bytes([number % 256]) * (number + 1) for number in range(2300)
}


def manifest(**more) -> dict:
    return {
        "product": "sessionsite",
        "format": 1,
        "version": "0",
        "made_at": "2026-01-01T00:00:00Z",
        "migrations": [],
        "counts": {},
        "database": {
            "vendor": "sqlite",
            "file": "database.sqlite3",
            "size_bytes": len(DATABASE),
            "sha256": hashlib.sha256(DATABASE).hexdigest(),
        },
        "media": {"files": len(FILES), "size_bytes": sum(map(len, FILES.values()))},
    } | more


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("archive")
    stream = io.BytesIO()
    writer = Writer(stream)
    writer.add_bytes("manifest.json", orjson.dumps(manifest()))
    (folder / "database").write_bytes(DATABASE)
    writer.add_file("database.sqlite3", folder / "database")
    for path, data in FILES.items():
        (folder / "file").write_bytes(data)
        assert writer.add_media(path, folder / "file")
    assert not writer.add_media("default/gone.jpg", folder / "gone")
    writer.close(missing_files=1)
    return stream.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    return {member.name: member.stream.read() for member in Reader(io.BytesIO(data)).members()}


def test_what_was_written_is_read(whole):
    found = read(whole)
    assert found.pop("database.sqlite3") == DATABASE
    assert found == {f"media/{path}": data for path, data in FILES.items()}


def test_it_is_a_plain_tar(whole):
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        names = tar.getnames()
    assert names[0] == "manifest.json" and names[-1] == "complete.json"
    assert [name for name in names if name.startswith("listing/")] == [
        f"listing/{n:06}.txt" for n in (1, 2, 3)
    ]


def test_members_that_nobody_reads_are_checked_all_the_same(whole):
    reader = Reader(io.BytesIO(whole))
    for _ in reader.members():
        pass
    assert (reader.media_files, reader.complete["missing_files"]) == (2300, 1)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.5, 0.9, 0.99])
def test_a_cut_file_is_noticed(whole, share):
    with pytest.raises(BadBackup):
        read(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("number", range(12))
def test_a_changed_byte_of_a_member_is_noticed(whole, number):
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        members = [member for member in tar if member.size]
    member = members[len(members) * number // 12]
    data = bytearray(whole)
    data[member.offset_data + member.size // 2] ^= 1
    with pytest.raises(BadBackup):
        read(bytes(data))


def tar_of(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(data), tarfile.REGTYPE if name == "manifest.json" else kind
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 some zip",
        tar_of(("readme.txt", b"hello")),
        tar_of(("manifest.json", b"{")),
        tar_of(("manifest.json", b"[]")),
        tar_of(("manifest.json", b"{}")),
        tar_of(("manifest.json", orjson.dumps(manifest(product="other")))),
        tar_of(("manifest.json", orjson.dumps(manifest(database=None)))),
        tar_of(("manifest.json", orjson.dumps(manifest(media={})))),
        tar_of(("manifest.json", orjson.dumps(manifest(format=2)))),
        tar_of(("manifest.json", orjson.dumps(manifest()))),
        tar_of(("manifest.json", orjson.dumps(manifest())), ("media/x", b""), kind=tarfile.SYMTYPE),
    ],
)
def test_what_is_no_backup_is_refused(data):
    with pytest.raises(BadBackup):
        read(data)
