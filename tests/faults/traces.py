"""What a server asked of the kernel, from the file that `strace -f -yy -o` writes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.site.processes import Server

CALLS = "write,writev,pwrite64,fsync,fdatasync,rename,renameat,renameat2,mkdir,sendto,sendmsg,recvfrom"
TEXT_BYTES = 5000  # of each string: a page of SQLite is 4096
SYNCS = ("fsync", "fdatasync")
WRITES = ("write", "writev", "pwrite64", "sendto", "sendmsg")
RENAMES = ("rename", "renameat", "renameat2")

_LINE = re.compile(r"(?P<tid>\d+) +(?:<\.\.\. )?(?P<name>\w+)(?P<rest>.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_RESULT = re.compile(r"\) += (-?\d+)[^()]*(?:\([^()]*\))?$")
_DESCRIPTOR = re.compile(r"\(\d+<(?P<behind>[A-Z][\w-]*:\[[^\]]*\]|[^>]*)>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def has_strace() -> bool:
    return shutil.which("strace") is not None


@dataclass(frozen=True)
class Call:
    """One system call. `began` and `ended` are lines of the trace: calls of other threads may lie between.

    behind: the path or socket of its file descriptor. paths: what calls by path name, in their order.
    """

    tid: int
    name: str
    behind: str
    text: str
    result: int
    began: int
    ended: int

    @property
    def paths(self) -> list[str]:
        return _QUOTED.findall(self.text)

    @property
    def is_socket(self) -> bool:
        return self.behind.startswith(("TCP:", "socket:"))

    def __str__(self) -> str:
        return f"line {self.began}: {self.name}({self.behind or ', '.join(self.paths)}) = {self.result}"


@dataclass
class Trace:
    """The calls that succeeded, in the order in which they began."""

    calls: list[Call] = field(default_factory=list)

    def find(
        self, *names: str, behind: str = "", text: str = "", after: int = -1, tid: int = 0
    ) -> Iterator[Call]:
        """Calls of these names that began after line `after`, on that file or socket, with `text` in them."""
        for call in self.calls:
            if (
                call.name in names
                and call.began > after
                and behind in ("", call.behind)
                and text in call.text
                and tid in (0, call.tid)
            ):
                yield call


def read_trace(path: Path) -> Trace:
    """Every call that returned, without those that failed."""
    begun: dict[int, tuple[int, str]] = {}
    calls = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines()):
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        tid, rest = int(found["tid"]), found["rest"]
        if rest.endswith(_UNFINISHED):
            begun[tid] = (number, rest.removesuffix(_UNFINISHED))
            continue
        began = number
        if rest.startswith(" resumed>"):
            began, first = begun.pop(tid, (number, ""))
            rest = first + rest.removeprefix(" resumed>")
        result = _RESULT.search(rest)
        if result is None or int(result[1]) < 0:
            continue
        behind = _DESCRIPTOR.match(rest)
        calls.append(
            Call(tid, found["name"], behind["behind"] if behind else "", rest, int(result[1]), began, number)
        )
    return Trace(sorted(calls, key=lambda call: call.began))


class TracedServer(Server):
    """A `serve` under strace. With -D strace is its child, so that signals reach the server itself."""

    def __init__(self, *options: str, data_dir: Path, **more: str) -> None:
        self.trace_file = data_dir.with_name(f"{data_dir.name}.trace")
        self.before = (
            "strace", "-D", "-f", "-yy", "--seccomp-bpf", "-s", str(TEXT_BYTES),
            "-e", f"trace={CALLS}", "-o", str(self.trace_file),
        )  # fmt: skip
        super().__init__(*options, data_dir=data_dir, **more)

    def trace(self) -> Trace:
        return read_trace(self.trace_file)
