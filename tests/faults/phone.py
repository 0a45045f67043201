"""A phone on a network of its own: opens each address it was given, and stays until it is killed.

python phone.py TOKEN URL...      prints "reading URL" once the first bytes of it have come
"""

import sys
import threading

import httpx
from websockets.sync.client import connect

TOKEN, *URLS = sys.argv[1:]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def read(url: str) -> None:
    if url.startswith("ws:"):
        with connect(url, additional_headers=HEADERS, proxy=None) as socket:
            for _ in socket:
                say(url)
        return
    with httpx.stream("GET", url, headers=HEADERS, timeout=None, trust_env=False) as answer:
        for _ in answer.iter_raw():
            say(url)


said: set[str] = set()


def say(url: str) -> None:
    if url not in said:
        said.add(url)
        sys.stdout.write(f"reading {url}\n")
        sys.stdout.flush()


for address in URLS:
    threading.Thread(target=read, args=(address,)).start()
