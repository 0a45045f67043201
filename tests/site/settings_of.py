"""The settings as they would be with another environment, read without touching those of the run."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "sessionsite" / "settings.py"
READER = re.compile(r"\benv_(bool|int|float|list|path|secret|str)\(\s*\"([A-Z_]+)\"")


def settings_variables() -> dict[str, str]:
    """Every variable that settings.py reads, with the kind of its reader."""
    return {name: kind for kind, name in READER.findall(SETTINGS.read_text())}


def settings_with(monkeypatch, data_dir: Path, **environment: str) -> dict:
    """The names that settings.py defines when just these variables are set."""
    for name in settings_variables():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    for name, value in {"DATA_DIR": str(data_dir), **environment}.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(SETTINGS))
