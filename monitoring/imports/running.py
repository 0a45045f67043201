"""The two steps of an import as a job: a dry run that decides about every file, then the writing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from django.conf import settings

from monitoring import imaging
from monitoring.boxes import BadTag, validate_label
from monitoring.imports import verbs
from monitoring.imports.formats import READERS
from monitoring.imports.matching import Decision, Matcher
from monitoring.imports.plan import Line, Plan
from monitoring.imports.reading import list_files, read_index
from monitoring.imports.uploads import Upload
from monitoring.jobs import folders
from monitoring.jobs.models import JobState
from monitoring.jobs.runner import Run
from monitoring.jobs.verbs import UPLOAD
from sessionsite.common.clock import BadTime, parse_iso
from sessionsite.common.errors import DomainError, NoRoom

DECIDE_AT_ONCE = 200
WRITE_AT_ONCE = 20  # new pictures in one transaction
WRITE_BYTES = 32 * 1024 * 1024  # and what they may hold together
WHOLE_PIXEL_FORMATS = {"voc"}


def run_import(run: Run) -> dict:
    """The dry run, or, once somebody has said yes to it, the import."""
    return _apply(run) if run.job.params.get("apply") else _check(run)


def _check(run: Run) -> dict:
    folder, format = folders.folder_of(run.job), run.job.params["format"]
    with Upload(folder / UPLOAD) as upload, Plan(folder, fresh=True) as plan:
        reading = lambda: run.note(0, 1, "reading the archive")  # noqa: E731 - a word for each row of it
        list_files(upload, plan, reading)
        read_index(upload, plan, reading)
        READERS[format](upload, plan, reading)
        _look_at_files(run, upload, plan)
        totals = _decide_all(run, plan)
    words = f"{totals['new']:,} new, {totals['matched']:,} known, {totals['skipped']:,} skipped"
    return {"state": JobState.READY, "message": words, "result": {"plan": totals}}


def _look_at_files(run: Run, upload: Upload, plan: Plan) -> None:
    """Every picture of the archive is opened: its hash, or why it is not taken."""
    total = plan.count()
    for line in plan.each(""):
        run.note(line.n, 2 * total, f"looking at pictures: {line.n:,} of {total:,}")
        if not line.has_file:
            continue
        try:
            data = upload.read(line.file, settings.MAX_IMAGE_BYTES)
            imaging.inspect(data)
            plan.set(line.n, sha256=hashlib.sha256(data).hexdigest())
        except NoRoom:
            raise
        except DomainError as refusal:
            plan.set(line.n, outcome="skipped", reason=refusal.message)


def _decide_all(run: Run, plan: Plan) -> dict:
    total = plan.count()
    for lines in _groups(plan, ""):
        matcher = _matcher(run, plan, lines)
        for line in lines:
            run.note(total + line.n, 2 * total, f"comparing: {line.n:,} of {total:,}")
            decision = matcher.decide(line)
            plan.set(
                line.n,
                outcome=decision.outcome,
                reason=decision.reason,
                added=len(decision.fresh),
                unchanged=decision.unchanged,
            )
    return plan.totals()


def _groups(plan: Plan, *outcomes: str) -> Iterator[list[Line]]:
    after = 0
    while lines := plan.lines(after=after, limit=DECIDE_AT_ONCE):
        after = lines[-1].n
        if wanted := [line for line in lines if line.outcome in outcomes]:
            yield wanted


def _matcher(run: Run, plan: Plan, lines: list[Line]) -> Matcher:
    whole_pixels = run.job.params["format"] in WHOLE_PIXEL_FORMATS
    return Matcher(run.job.dataset, plan, lines, whole_pixels=whole_pixels)


def _apply(run: Run) -> dict:
    """Every line is decided anew: what came meanwhile, or an earlier run wrote, is not written twice."""
    folder = folders.folder_of(run.job)
    with Upload(folder / UPLOAD) as upload, Plan(folder) as plan:
        written, total = _Written(), plan.count()
        for lines in _groups(plan, "new", "matched"):
            matcher, waiting = _matcher(run, plan, lines), []
            for line in lines:
                run.note(line.n, total)
                decision = matcher.decide(line)
                if decision.outcome == "new":
                    waiting.append((line, decision))
                    if len(waiting) == WRITE_AT_ONCE or _bytes(upload, waiting) > WRITE_BYTES:
                        written.add(_write_new(run, upload, waiting))
                        waiting = []
                elif decision.outcome == "matched":
                    written.add(_write_matched(run, line, decision))
                else:
                    written.skipped += 1
            written.add(_write_new(run, upload, waiting))
    result = run.job.result | {"written": vars(written)}
    return {"result": result, "message": f"{written.images:,} pictures and {written.boxes:,} boxes added"}


class _Written:
    """What was really written."""

    def __init__(self) -> None:
        self.images = self.boxes = self.skipped = 0

    def add(self, more: tuple[int, int, int]) -> None:
        self.images, self.boxes, self.skipped = (
            self.images + more[0], self.boxes + more[1], self.skipped + more[2],
        )  # fmt: skip


def _bytes(upload: Upload, waiting: list[tuple[Line, Decision]]) -> int:
    return sum(upload.size_bytes(line.file) for line, _ in waiting)


def _write_new(run: Run, upload: Upload, waiting: list[tuple[Line, Decision]]) -> tuple[int, int, int]:
    if not waiting:
        return 0, 0, 0
    new = [_new_picture(upload, line, decision) for line, decision in waiting]
    verbs.add_pictures(run.job.dataset, new, job=run.job.key, by=run.job.created_by)
    return len(new), sum(len(decision.fresh) for _, decision in waiting), 0


def _new_picture(upload: Upload, line: Line, decision: Decision) -> verbs.NewPicture:
    return verbs.NewPicture(
        data=upload.read(line.file, settings.MAX_IMAGE_BYTES),
        name=line.name or line.file.rpartition("/")[2],
        taken_at=_moment(line.taken_at),
        label=_label(line.label),
        split=line.split or "",
        boxes=decision.fresh,
    )


def _moment(text: str):
    try:
        return parse_iso(text) if text else None
    except BadTime:
        return None


def _label(text: str | None) -> str:
    """A label that cannot be kept is left out."""
    try:
        return validate_label(text or "", empty_allowed=True)
    except BadTag:
        return ""


def _write_matched(run: Run, line: Line, decision: Decision) -> tuple[int, int, int]:
    label, split = _label(line.label), line.split or ""
    try:
        verbs.add_to_picture(decision.image, decision.fresh, label=label, split=split, by=run.job.created_by)
    except NoRoom:
        raise
    except DomainError:  # changed, reviewed or deleted since: what people did meanwhile stands
        return 0, 0, 1
    return 0, len(decision.fresh), 0
