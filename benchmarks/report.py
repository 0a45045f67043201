"""Puts the newest tables of benchmarks/results into docs/performance.md, between its markers.

    python -m benchmarks.report [--check]

`<!-- begin ingest -->` to `<!-- end ingest -->` become the text of `results/ingest.md` and its chart. --check
writes nothing and says with status 1 that the page is older than the results.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from benchmarks.lib.options import RESULTS
from benchmarks.lib.results import say

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
SECTION = re.compile(r"(<!-- begin ([a-z-]+) -->\n)(.*?)(<!-- end \2 -->)", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--check", action="store_true")
    made.add_argument("--page", type=Path, default=PAGE)
    made.add_argument("--results", type=Path, default=RESULTS)
    options = made.parse_args(arguments)
    before = options.page.read_text()
    after = filled(before, options.results)
    if after == before:
        say(f"{options.page.name} shows the newest results")
        return 0
    if options.check:
        say(f"{options.page.name} is older than the results: python -m benchmarks.report")
        return 1
    options.page.write_text(after)
    say(f"{options.page.name} was brought up to date")
    return 0


def filled(page: str, results: Path) -> str:
    """The page with every section that has results; the others stay as they are."""

    def section(found: re.Match) -> str:
        begin, name, old, end = found.groups()
        table = results / f"{name}.md"
        if not table.exists():
            return found[0]
        chart = (
            f"\n![{name}](../benchmarks/results/{name}.png)\n" if (results / f"{name}.png").exists() else ""
        )
        return f"{begin}{table.read_text()}{chart}{end}"

    return SECTION.sub(section, page)


if __name__ == "__main__":
    sys.exit(main())
