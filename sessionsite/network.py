"""The listening socket, the addresses of this machine, and the host names that follow from them."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError

BACKLOG = 2048
VANISHED_AFTER_MS = 30_000
# A ping waits behind all that a slow reader has yet to take: it is given as long as the hub gives its frames.
PING_S, PONG_WITHIN_S = 10, 60
SIOCGIFADDR = 0x8915


def open_listener(host: str, port: int) -> socket.socket:
    """A bound and listening TCP socket; connections wait in its queue until a server takes them.

    A peer that vanished without a word is noticed after VANISHED_AFTER_MS when data to it are pending.
    Raises CommandError when the port is taken, forbidden, or the host is not of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    except OSError as exc:
        raise CommandError(f"--host {host} is no address of this machine: {exc.strerror}") from exc
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # accepted sockets inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_AFTER_MS)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # where nothing is pending
        if hasattr(socket, "TCP_KEEPIDLE"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, VANISHED_AFTER_MS // 1000)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, VANISHED_AFTER_MS // 3000)
        if host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as exc:
        listener.close()
        raise CommandError(_why_not(exc, host, port)) from exc
    return listener


def _why_not(exc: OSError, host: str, port: int) -> str:
    if exc.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use by another program. "
            f"Choose another one: --port {port + 1} (or PORT={port + 1} make run)."
        )
    if exc.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has; choose one above 1023 with --port."
    return f"Cannot listen on {host}:{port}: {exc.strerror}"


def is_wildcard(host: str) -> bool:
    """Whether `host` means all addresses of this machine."""
    return host in {"", "*", "0.0.0.0", "::"}


def machine_addresses(host: str) -> list[str]:
    """The addresses under which others reach this machine when it listens on the wildcard `host`.

    IPv4 first, without loopback and link-local; IPv6 only for `::`, which takes both kinds.
    """
    found = [*_interface_addresses(), *_routed_address(), *(_ipv6_addresses() if host == "::" else [])]
    usable = (ipaddress.ip_address(text) for text in found)
    return list(dict.fromkeys(str(a) for a in usable if not (a.is_loopback or a.is_link_local)))


def _interface_addresses() -> list[str]:
    """IPv4 address of each interface, asked of the Linux kernel; empty elsewhere."""
    found = []
    with suppress(ImportError, OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        import fcntl

        for _, name in socket.if_nameindex():
            with suppress(OSError):
                answer = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _routed_address() -> list[str]:
    """The address that would be used to leave this network; nothing is sent."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return [probe.getsockname()[0]]
    return []


def _ipv6_addresses() -> list[str]:
    with suppress(OSError):
        lines = Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines()
        return [str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))) for line in lines]
    return []


def host_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def allow_hosts_of(host: str, port: int) -> list[str]:
    """Requests to every name of the address served are accepted; the new names are returned.

    A list of hosts in the environment is taken as it stands.
    """
    if not settings.HOSTS_FOLLOW_ADDRESS:
        return []
    names = [host]
    if is_wildcard(host):
        machine = socket.gethostname().lower()
        names = [*machine_addresses(host), machine, f"{machine.partition('.')[0]}.local"]
    fresh = [name for name in map(host_in_url, names) if name not in settings.ALLOWED_HOSTS]
    settings.ALLOWED_HOSTS.extend(fresh)
    scheme = "https" if settings.TLS else "http"
    settings.CSRF_TRUSTED_ORIGINS.extend(f"{scheme}://{name}:{port}" for name in fresh)
    return fresh
