"""nginx with nchan, one worker, and the small publisher that posts to it."""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import time
from pathlib import Path

from benchmarks.lib.peers.publisher import wanted
from benchmarks.lib.peers.state import FIRST_REVISION, state_text

MODULES = (Path("/usr/lib/nginx/modules"), Path("/usr/share/nginx/modules"))
MODULE = "ngx_nchan_module.so"

CONFIGURATION = """
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors.log error;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location = /ready {{ return 200; }}
        location = /publish {{ nchan_publisher; nchan_message_buffer_length 100; }}
        nchan_channel_id state;
        nchan_subscriber_first_message newest;
        location = /ws {{ nchan_subscriber websocket; }}
        location = /stream {{ nchan_subscriber eventsource; }}
    }}
}}
"""


def find_module() -> Path | None:
    """nchan's module where Debian puts it; None when it, or nginx, is not installed."""
    found = [folder / MODULE for folder in MODULES if (folder / MODULE).exists()]
    return found[0] if found and find_nginx() else None


def find_nginx() -> str | None:
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def write_configuration(folder: Path, port: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nginx.conf"
    path.write_text(CONFIGURATION.format(module=find_module(), folder=folder, port=port))
    return path


def publish(port: int, query: str) -> int:
    """Post states at the wanted rate over one connection; returns how many."""
    rate, seconds, size = wanted(query)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    began, published = time.monotonic(), 0
    while published < rate * seconds if rate else time.monotonic() < began + seconds:
        if rate:
            time.sleep(max(0.0, began + published / rate - time.monotonic()))
        connection.request("POST", "/publish", state_text(size, FIRST_REVISION + published))
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (201, 202):
            raise RuntimeError(f"nchan refused a message: {answer.status}")
        published += 1
    connection.close()
    return published


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("query")
    options = parser.parse_args()
    print(json.dumps({"published": publish(options.port, options.query)}))
