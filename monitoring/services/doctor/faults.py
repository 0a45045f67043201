"""What the doctor can find, and what a repair of it does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """means: the fault in words. repair: what a repair does; "" where only a person can help."""

    means: str
    repair: str = ""
    takes_away: bool = False  # the repair puts something out of sight, so the brake counts it


KINDS = {
    "missing_file": Kind(
        "a picture whose original is not there",
        "put back from quarantine when it lies there whole, else the picture is deleted (restorable)",
        takes_away=True,
    ),
    "missing_thumbnail": Kind("a picture whose thumbnail is not there", "made anew from the original"),
    "damaged_thumbnail": Kind("a thumbnail that is no whole WebP", "made anew from the original"),
    "wrong_size": Kind("files of another size than the row says", "the row and the sums get the real size"),
    "wrong_hash": Kind("an original that is not what was sent"),
    "orphan": Kind("a media file that no row names", "moved to quarantine", takes_away=True),
    "left_over": Kind("a half file that nobody writes any more", "removed"),
    "dead_lease": Kind("a folder of a dead process", "its files without a row are removed"),
    "wrong_counter": Kind("a number that is not what its rows add up to", "counted anew"),
    "wrong_labels": Kind("label counts that are not those of the pictures", "counted anew"),
    "wrong_buckets": Kind("rates that are not those of the pictures", "counted anew"),
    "wrong_days": Kind("a calendar that is not what the sessions took", "counted anew from the journal"),
    "journal_gap": Kind("journal numbers that are missing", "each lost number gets an entry that says so"),
    "wrong_last_seq": Kind("a last number that is not the journal's", "set to the journal's"),
    "wrong_pointer": Kind("a monitor that shows what is not its newest", "set to the newest"),
    "wrong_owner": Kind("a row of one organisation that points into another"),
    "wrong_times": Kind("a session that is over without a stop time, or open with one"),
}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. where: a key, slug or media path. pk: of the row, where there is one."""

    kind: str
    where: str
    text: str
    size_bytes: int = 0
    pk: int | None = None

    def as_json(self) -> dict:
        return {"kind": self.kind, "where": self.where, "text": self.text, "size_bytes": self.size_bytes}
