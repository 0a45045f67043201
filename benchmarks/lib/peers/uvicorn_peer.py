"""Runs a peer under uvicorn with the options that our own `serve` uses: `<module> <port>`."""

from __future__ import annotations

import sys

import uvicorn


def main(module: str, port: str) -> None:
    uvicorn.run(
        f"benchmarks.lib.peers.{module}:application",
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
