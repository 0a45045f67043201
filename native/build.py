"""Compiles the helpers in C where there is a compiler: `python native/build.py`.

Without one, or without the headers of libjpeg-turbo and libwebp (Debian: gcc, libjpeg-dev, libwebp-dev), the
server does the same in Python, slower.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import PIL

HERE = Path(__file__).resolve().parent
BUILT = HERE / "built"
OPTIONS = ["-O3", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fstack-protector-strong"]


def main() -> int:
    """Each helper that could be compiled lies in native/built, and the others are named. Always 0."""
    BUILT.mkdir(exist_ok=True)
    for name, libraries in (("files", []), ("jpeg", [*picture_libraries(), "-lm"])):
        problem = compile_one(name, libraries)
        if problem:  # one of an older source is not used either
            (BUILT / f"{name}.so").unlink(missing_ok=True)
        print(f"native/{name}.c: " + (f"left to Python: {problem}" if problem else "compiled"))
    return 0


def picture_libraries() -> list[str]:
    """libjpeg and libwebp as Pillow's wheel brings them; those of the system where Pillow uses these."""
    folder = Path(PIL.__file__).resolve().parent.parent / "pillow.libs"
    found = [str(path) for name in ("jpeg", "webp", "sharpyuv") for path in folder.glob(f"lib{name}-*.so*")]
    return [*found, f"-Wl,-rpath,{folder}"] if len(found) == 3 else ["-ljpeg", "-lwebp"]


def compile_one(name: str, libraries: list[str]) -> str:
    """Empty, or why it could not be compiled. A library in use is replaced, never written over."""
    compiler = shutil.which(os.environ.get("CC") or "cc")
    if compiler is None:
        return "no C compiler"
    waiting = BUILT / f"{name}.{os.getpid()}.part"
    command = [compiler, *OPTIONS, str(HERE / f"{name}.c"), "-o", str(waiting), *libraries]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        waiting.unlink(missing_ok=True)
        return next((line for line in done.stderr.splitlines() if "error" in line), "the compiler failed")
    waiting.replace(BUILT / f"{name}.so")
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
