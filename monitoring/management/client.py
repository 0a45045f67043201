"""What the commands that talk to a server share: its address and a token."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

import httpx
from django.core.management.base import CommandError

from monitoring.rosepetal_client import TIMEOUT

TOKEN_VARIABLE = "SESSIONSITE_TOKEN"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def add_token_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--token", help=f"others on this machine can see it; better: --token-file or {TOKEN_VARIABLE}"
    )
    parser.add_argument(
        "--token-file", type=Path, help="holds one token, or a line `slug token` for each monitor"
    )


def http_client(url: str, connections: int) -> httpx.Client:
    """A client of the server at `url`. Raises CommandError when that is no address."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request otherwise
    try:
        base = httpx.URL(url.rstrip("/"))
    except httpx.InvalidURL as exc:
        raise CommandError(f"--url: {exc}") from exc
    if base.scheme not in {"http", "https"} or not base.host:
        raise CommandError("--url must look like http://127.0.0.1:8000")
    return httpx.Client(
        base_url=base,
        timeout=TIMEOUT,
        limits=httpx.Limits(max_connections=connections + 1),
        trust_env=base.host not in LOOPBACK,  # a proxy of the environment cannot reach this machine's server
    )


def tokens_of(monitors: list[str], token: str | None, token_file: Path | None) -> dict[str, str]:
    """The token of each monitor. Raises CommandError; no message ever holds a token."""
    token = token or os.environ.get(TOKEN_VARIABLE, "")
    if token_file is not None:
        tokens = _tokens_in(token_file, monitors)
    elif token.strip():
        tokens = dict.fromkeys(monitors, token.strip())
    else:
        raise CommandError(f"a token is needed: --token-file, {TOKEN_VARIABLE} or --token")
    if not all(value.isascii() and value.isprintable() for value in tokens.values()):
        raise CommandError("a token holds characters that no token has")
    return tokens


def _tokens_in(path: Path, monitors: list[str]) -> dict[str, str]:
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as exc:
        raise CommandError(f"the token file cannot be read: {path}") from exc
    lines = [words for words in lines if words and not words[0].startswith("#")]
    if len(lines) == 1 and len(lines[0]) == 1:
        return dict.fromkeys(monitors, lines[0][0])
    if any(len(words) != 2 for words in lines):
        raise CommandError("the token file must hold one token, or lines `slug token`")
    tokens = dict(lines)
    missing = [slug for slug in monitors if slug not in tokens]
    if missing:
        raise CommandError(f"the token file has no token for {', '.join(missing)}")
    return tokens


def positive_seconds(text: str) -> float:
    """The type of an option that takes a time in seconds."""
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return value
