"""Compares rows, files, hashes, sums and journals; tells what is wrong and, when asked, repairs it."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict

import orjson
from django.core.management.base import BaseCommand, CommandError

from monitoring.services import doctor
from monitoring.services.doctor import KINDS, Examination
from monitoring.services.doctor.examination import HASH_SAMPLE
from sessionsite.common.errors import DomainError

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Check that rows and files, hashes, sums and journals agree. Safe while the server records. Reports "
        "only, unless --repair is given. Ends with code 1 when a fault is left."
    )

    def add_arguments(self, parser):
        parser.add_argument("--hashes", action="store_true", help="read every original, not a sample")
        parser.add_argument(
            "--sample", type=int, default=HASH_SAMPLE, metavar="N", help="originals to read (default: 200)"
        )
        parser.add_argument("--repair", action="store_true", help="repair what can be repaired")
        parser.add_argument(
            "--allow-mass-removal",
            action="store_true",
            help="repair also when more files are missing or unnamed than an accident explains",
        )
        parser.add_argument("--json", action="store_true", help="the report as one JSON object")
        parser.add_argument(
            "--show", type=int, default=SHOWN, metavar="N", help="examples of each fault (default: 20)"
        )

    def handle(self, *, hashes, sample, repair, allow_mass_removal, json, show, **options):
        if sample < 1 or show < 0:
            raise CommandError("--sample is at least 1 and --show at least 0")
        self.show = show
        asked = {"all_hashes": hashes, "hash_sample": sample, "progress": self.progress}
        seen = Examination(**asked)
        found = self.examine(seen)
        report = {"checked": seen.as_json(), "faults": found, "repairs": {}}
        report["left"] = sum(group["count"] for group in found.values())
        if repair and found:
            self.brake(found, seen, allow_mass_removal)
            report["repairs"] = self.treat(Examination(**asked))
            report["left"] = sum(group["left"] for group in report["repairs"].values())
        self.stdout.write(orjson.dumps(report).decode() if json else table(report))
        if report["left"]:
            sys.exit(1)

    def examine(self, seen: Examination) -> dict[str, dict]:
        found: dict[str, dict] = {}
        for fault in doctor.examine(seen):
            group = found.setdefault(fault.kind, {"count": 0, "size_bytes": 0, "examples": []})
            group["count"] += 1
            group["size_bytes"] += fault.size_bytes
            if len(group["examples"]) < self.show:
                group["examples"].append({"where": fault.where, "text": fault.text})
        return found

    def brake(self, found: dict[str, dict], seen: Examination, allowed: bool) -> None:
        counts = Counter({kind: group["count"] for kind, group in found.items()})
        try:
            doctor.check_amount(counts, max(seen.walk.files, 2 * seen.pictures))
        except DomainError as refusal:
            if not allowed:
                raise CommandError(
                    f"{refusal} Nothing was repaired; --allow-mass-removal repairs all the same."
                ) from refusal

    def treat(self, again: Examination) -> dict[str, dict]:
        """A second look that repairs what it finds: the first one may be minutes old."""
        done: dict[str, dict] = defaultdict(lambda: {"repaired": 0, "left": 0, "examples": []})
        for outcome in doctor.treat(doctor.examine(again)):
            group = done[outcome.fault.kind]
            group["left" if outcome.is_left else "repaired"] += 1
            if len(group["examples"]) < self.show:
                told = {"where": outcome.fault.where, "text": outcome.text, "left": outcome.is_left}
                group["examples"].append(told)
        return dict(done)

    def progress(self, text: str) -> None:
        self.stderr.write(f"… {text}")
        self.stderr.flush()


def table(report: dict) -> str:
    """The report for people."""
    seen, lines = report["checked"], []
    lines.append(
        f"looked at {seen['pictures']:,} pictures, {seen['media_files']:,} media files "
        f"({seen['media_bytes']:,} bytes), {seen['sessions']:,} sessions, {seen['monitors']:,} monitors, "
        f"{seen['rigs']:,} rigs"
    )
    lines.append(f"read and hashed {seen['hashed']:,} of {seen['pictures']:,} originals (--hashes reads all)")
    lines.append(
        f"left alone: {seen['young_files']:,} files younger than an hour, {seen['foreign_files']:,} that are "
        f"no media files, {seen['lost_pictures_deleted']:,} deleted pictures whose original is lost"
    )
    for kind, group in report["faults"].items():
        size = f", {group['size_bytes']:,} bytes" if group["size_bytes"] else ""
        repair = KINDS[kind].repair or "only a person can help: see the operations page"
        lines.append(f"\n{kind}: {group['count']:,}{size} - {KINDS[kind].means}; repair: {repair}")
        lines += _examples(group, group["count"])
    for kind, group in report["repairs"].items():
        lines.append(f"\nrepaired {kind}: {group['repaired']:,}, left: {group['left']:,}")
        lines += _examples(group, group["repaired"] + group["left"])
    lines.append("\n" + _verdict(report))
    return "\n".join(lines)


def _examples(group: dict, count: int) -> list[str]:
    lines = [f"  {example['where']}: {example['text']}" for example in group["examples"]]
    more = count - len(lines)
    return [*lines, f"  … and {more:,} more (--show N)"] if lines and more > 0 else lines


def _verdict(report: dict) -> str:
    if not report["faults"]:
        return "no fault found"
    if not report["repairs"]:
        return f"{report['left']:,} faults; --repair mends what can be mended"
    return f"{report['left']:,} faults are left" if report["left"] else "everything is repaired"
