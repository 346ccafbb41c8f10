import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from longshore.base.authority import Authority
from longshore.testing.clock import FakeClock

DAY = 86400.0
HOST = "123456789012.dkr.ecr.us-east-1.longshore.internal"


def handshake(authority: Authority, certificate: Path, key: Path, name: str) -> None:
    """A TLS handshake with a client that trusts nothing but the authority."""
    ours, theirs = socket.socketpair()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=str(authority.certificate_path))

    def accept() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        client.wrap_socket(ours, server_hostname=name).close()
    finally:
        ours.close()
        thread.join()


def test_a_client_that_trusts_the_authority_accepts_its_certificates(tmp_path: Path) -> None:
    authority = Authority.load_or_create(tmp_path / "ca", "Longshore test")
    paths = authority.certificate(["*.dkr.ecr.us-east-1.longshore.internal"], ["127.0.0.1"])
    handshake(authority, *paths, HOST)
    handshake(authority, *paths, "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority, *paths, "example.com")


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    authority = Authority.load_or_create(tmp_path / "ca", "Longshore test")
    _, key = authority.certificate([HOST])
    for path in (tmp_path / "ca" / "ca.key", key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_authority_and_certificate_come_back_after_a_restart(tmp_path: Path) -> None:
    first = Authority.load_or_create(tmp_path, "Longshore test")
    certificate, key = first.certificate([HOST])
    before = (first.certificate_pem, certificate.read_bytes(), key.read_bytes())
    second = Authority.load_or_create(tmp_path, "another name")
    certificate, key = second.certificate([HOST])
    assert (second.certificate_pem, certificate.read_bytes(), key.read_bytes()) == before


def test_a_certificate_is_renewed_before_it_ends(tmp_path: Path) -> None:
    clock = FakeClock()
    authority = Authority.load_or_create(tmp_path, "Longshore test", clock)
    first = authority.certificate([HOST], days=90)[0].read_bytes()
    clock.advance(50 * DAY)
    assert authority.certificate([HOST], days=90)[0].read_bytes() == first
    clock.advance(20 * DAY)
    assert authority.certificate([HOST], days=90)[0].read_bytes() != first
