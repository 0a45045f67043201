"""Addresses and host names that follow from the address served."""

import socket

import pytest
from django.core.management.base import CommandError

from sessionsite import network
from sessionsite.common.hub import SLOW_LIMIT_S


@pytest.fixture
def following(settings):
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    settings.CSRF_TRUSTED_ORIGINS = []
    settings.HOSTS_FOLLOW_ADDRESS = True
    return settings


def test_all_addresses_of_this_machine_are_allowed_on_the_wildcard(following):
    network.allow_hosts_of("0.0.0.0", 8000)
    assert set(network.machine_addresses("0.0.0.0")) <= set(following.ALLOWED_HOSTS)
    assert socket.gethostname().lower() in following.ALLOWED_HOSTS


def test_another_network_is_followed_without_repeating_the_old_one(following, monkeypatch):
    monkeypatch.setattr(network, "machine_addresses", lambda host: ["192.0.2.10"])
    assert "192.0.2.10" in network.allow_hosts_of("0.0.0.0", 8000)
    monkeypatch.setattr(network, "machine_addresses", lambda host: ["192.0.2.10", "198.51.100.7"])
    assert network.allow_hosts_of("0.0.0.0", 8000) == ["198.51.100.7"]
    assert "http://198.51.100.7:8000" in following.CSRF_TRUSTED_ORIGINS
    assert len(following.ALLOWED_HOSTS) == len(set(following.ALLOWED_HOSTS))


def test_one_address_allows_just_itself(following):
    assert network.allow_hosts_of("192.0.2.10", 8000) == ["192.0.2.10"]
    assert network.allow_hosts_of("127.0.0.1", 8000) == []


def test_a_given_list_of_hosts_is_taken_as_it_stands(following):
    following.HOSTS_FOLLOW_ADDRESS = False
    assert network.allow_hosts_of("0.0.0.0", 8000) == []


def test_ipv6_addresses_are_bracketed_in_names(following, monkeypatch):
    monkeypatch.setattr(network, "machine_addresses", lambda host: ["2001:db8::1"])
    assert "[2001:db8::1]" in network.allow_hosts_of("::", 8000)


def test_vanished_peers_are_noticed_in_half_a_minute():
    with network.open_listener("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


def test_a_name_of_another_machine_is_refused_in_words():
    with pytest.raises(CommandError, match="192.0.2.200"):
        network.open_listener("192.0.2.200", 0)


def test_a_ping_may_wait_as_long_as_the_frames_before_it():
    assert network.PONG_WITHIN_S >= SLOW_LIMIT_S
