"""Typed readers of the environment: a value that makes no sense stops the start with a clear text.

An unset variable and an empty one both mean "not given": the default holds.
"""

import os
import secrets
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
Number = TypeVar("Number", int, float)


def env_str(name: str, default: str = "", *, choices: Sequence[str] = ()) -> str:
    """The text of `name`, or `default`; raises ImproperlyConfigured when it is none of `choices`."""
    value = os.environ.get(name, "").strip() or default
    if choices and value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} is not one of: {', '.join(choices)}")
    return value


def env_bool(name: str, default: bool = False) -> bool:
    """True for 1/true/yes/on, False for 0/false/no/off in any case; anything else is refused."""
    value = env_str(name).lower()
    if not value:
        return default
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false (use 1 or 0)")
    return value in TRUE


def env_int(name: str, default: int, *, minimum: int | None = None, maximum: int | None = None) -> int:
    """A whole number inside the bounds; underscores between digits are allowed."""
    return _number(name, default, int, "a whole number", minimum, maximum)


def env_float(
    name: str, default: float, *, minimum: float | None = None, maximum: float | None = None
) -> float:
    """A finite number inside the bounds."""
    return _number(name, default, _finite, "a number", minimum, maximum)


def env_list(name: str, default: Sequence[str] = ()) -> list[str]:
    """The comma-separated parts, without blanks and empty parts."""
    value = env_str(name)
    return [part.strip() for part in value.split(",") if part.strip()] if value else list(default)


def env_path(name: str, default: Path) -> Path:
    """An absolute path; `~` is the home folder, a relative path starts at the working directory."""
    value = env_str(name)
    return Path(value).expanduser().absolute() if value else default


def env_secret(name: str, default: str = "") -> str:
    """The secret in `name`, or in the file that `name`_FILE points to; both at once are refused."""
    value, path = os.environ.get(name, ""), env_str(f"{name}_FILE")
    if value and path:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set; keep one")
    if not path:
        return value or default
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ImproperlyConfigured(f"{name}_FILE={path!r} cannot be read: {exc}") from exc
    if not content:
        raise ImproperlyConfigured(f"{name}_FILE={path!r} is empty")
    return content


def stored_secret(path: Path) -> str:
    """The secret kept at `path`, made with mode 0600 when there is none; of several processes one wins."""
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            os.rename(fresh, path)
        fresh.unlink(missing_ok=True)
    content = path.read_text(encoding="utf-8").strip()
    if len(content) < 32:
        raise ImproperlyConfigured(f"{path} holds no usable secret; remove it and start again")
    return content


def database_from_url(url: str) -> dict[str, Any]:
    """Django's connection values for a `postgres://user:password@host:port/name` URL.

    Raises ImproperlyConfigured for any other scheme and for a URL without a database name; the text never
    repeats the URL, which may hold a password.
    """
    import environ

    try:
        with warnings.catch_warnings():  # its warning about an unknown scheme shows the whole URL
            warnings.simplefilter("ignore")
            found = environ.Env.db_url_config(url)
    except (ValueError, KeyError):
        raise ImproperlyConfigured("DATABASE_URL is not a database URL") from None
    if "postgresql" not in found.get("ENGINE", ""):
        raise ImproperlyConfigured("DATABASE_URL must be postgres://user:password@host:port/name")
    if not found.get("NAME"):
        raise ImproperlyConfigured("DATABASE_URL names no database")
    return found | {"ENGINE": "django.db.backends.postgresql"}


def _number(
    name: str,
    default: Number,
    convert: Callable[[str], Number],
    noun: str,
    minimum: Number | None,
    maximum: Number | None,
) -> Number:
    text = env_str(name)
    try:
        value = convert(text) if text else default
    except ValueError as exc:
        raise ImproperlyConfigured(f"{name}={text!r} is not {noun}") from exc
    if minimum is not None and value < minimum:
        raise ImproperlyConfigured(f"{name}={value} is below {minimum}")
    if maximum is not None and value > maximum:
        raise ImproperlyConfigured(f"{name}={value} is above {maximum}")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(text)
    return value
