"""Which thread gets a processor first: those that answer and commit, before those that calculate.

With more threads at work than processors, Linux lets one finish its turn of 1 to 3 ms before another that has
just woken. The event loop and the writer wake a thousand times a second and need a tenth of that, so each
picture would wait at every step for the decoding of others. Short turns let who wakes go first, and a lower
priority of the decoding keeps it so.

Where the system knows nothing of it (other than Linux, before 6.12) or refuses, all stays as it was.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import struct

SHORT_NS, LONG_NS = 100_000, 10_000_000  # the kernel takes 0.1 to 100 ms
BEHIND = 10  # steps of nice; they count among the threads of one cgroup or login only
NICE_MAX = 19
FIRST_KERNEL = (6, 12)  # that lets a thread choose its turns; a lower priority alone gains nothing
_KERNEL = tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}.get(platform.machine())  # the number of the system call
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # struct sched_attr of linux/sched/types.h, its first 48 bytes


def take_short_turns() -> None:
    """The calling thread, and those that it starts from now on, go first when they wake."""
    _set(SHORT_NS)


def stay_behind() -> None:
    """The calling thread works while the others leave it a processor. There is no way back."""
    _set(LONG_NS, behind=BEHIND)


def _set(turn_ns: int, *, behind: int = 0) -> None:
    if _SCHED_SETATTR is None or platform.system() != "Linux" or _KERNEL < FIRST_KERNEL:
        return
    if os.sched_getscheduler(0) != os.SCHED_OTHER:  # an administrator gave this process another policy
        return
    nice = min(os.getpriority(os.PRIO_PROCESS, 0) + behind, NICE_MAX)
    wanted = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, turn_ns, 0, 0)
    ctypes.CDLL(None).syscall(_SCHED_SETATTR, 0, wanted, 0)
