"""All programs, one after the other: `python -m benchmarks.run [--quick] [--only ingest,reads]`.

Ends with a table of every target. The exit status is 1 when a program failed or, except with --quick, when a
target was missed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.lib.options import FULL, QUICK, TINY, parser
from benchmarks.lib.processes import REPOSITORY, end_with_parent, environment
from benchmarks.lib.results import MISSED, Table, markdown_table, say

# name -> (module, further options); each has its own files in the results folder.
PROGRAMS = {
    "ingest": ("ingest", []),
    "fanout": ("fanout", []),
    "reads": ("reads", []),
    "history": ("history", []),
    "export": ("export", []),
    "events": ("events", []),
    "watched": ("watched", []),
    "watched-reaper": ("watched", ["--parts", "reap,reap-two"]),
    "mixed": ("mixed", []),
    "deflate": ("deflate", []),
    "rig": ("rig_night", ["--parts", "latency,burst"]),
    "crash": ("crash", ["--pictures", "100000"]),
    "crash-postgresql": ("crash", ["--database", "own"]),
}
QUICK_PROGRAMS = ("ingest", "fanout", "reads", "history", "events", "mixed", "crash")
# Seconds for all programs; what has not begun by then is said to be missing.
LIMIT_S = {FULL: 3600, QUICK: 180, TINY: 600}
STOP_WITHIN_S = 60.0


def main(arguments: list[str] | None = None) -> int:
    made = parser(__doc__)
    made.add_argument("--only", default="", help="names of programs, comma-separated")
    options = made.parse_args(arguments)
    wanted = [name for name in options.only.split(",") if name]
    names = wanted or (list(PROGRAMS) if options.size == FULL else list(QUICK_PROGRAMS))
    if unknown := sorted(set(names) - set(PROGRAMS)):
        made.error(f"there is no program {unknown[0]}; there are {', '.join(PROGRAMS)}")
    began, failed = time.monotonic(), []
    for name in names:
        if not run(name, options, began + LIMIT_S[options.size]):
            failed.append(name)
    missed = summary(names, options)
    say(f"\n{time.monotonic() - began:.0f} s; figures in {options.results}")
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed or (missed and options.size == FULL) else 0


def run(name: str, options, end: float) -> bool:
    """True when the program wrote its results before `end`, whatever they say."""
    module, more = PROGRAMS[name]
    more = (
        more
        if options.size == FULL
        else [word for word in more if not word.isdigit() and word != "--pictures"]
    )
    left_s = end - time.monotonic()
    if left_s <= 0:
        say(f"\n== {name}: no time is left for it")
        return False
    arguments = [
        *([] if options.size == FULL else [f"--{options.size}"]),
        *more,
        "--results",
        str(options.results),
    ]
    if options.dir:
        arguments += ["--dir", str(options.dir)]
    say(f"\n== {name}")
    file, began = result_file(name, options), time.time()
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        env=environment(), cwd=REPOSITORY, preexec_fn=end_with_parent,
    )  # fmt: skip
    try:
        process.wait(left_s)
    except subprocess.TimeoutExpired:
        say(f"the time is over, {name} is ended")
        process.send_signal(signal.SIGINT)  # it stops its servers and removes its folder
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return False
    return file.exists() and file.stat().st_mtime >= began


def result_file(name: str, options) -> Path:
    suffix = "" if options.size == FULL else f"-{options.size}"
    return options.results / f"{name}{suffix}.json"


def summary(names: list[str], options) -> int:
    """Every target of the run on stdout; returns how many were missed."""
    table = Table("All targets", ("program", "target", "limit", "measured", ""))
    for name in names:
        file = result_file(name, options)
        for target in json.loads(file.read_text())["targets"] if file.exists() else []:
            limit = f"{target['relation']} {target['limit']:g} {target['unit']}"
            table.rows.append((name, target["what"], limit, target["measured"], target["verdict"]))
    say(f"\n{markdown_table(table)}")
    return sum(row[-1] == MISSED for row in table.rows)


if __name__ == "__main__":
    sys.exit(main())
