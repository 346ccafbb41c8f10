"""The installation's own certificate authority, for names that no public one would vouch for."""

import datetime
import fcntl
import hashlib
import ipaddress
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from longshore.base.clock import Clock, SystemClock

CA_DAYS = 3650
RENEW_AT = 1 / 3
"""A certificate is made anew when less than this part of its time is left."""
BACKDATED = datetime.timedelta(hours=1)
"""Clients whose clocks run behind take a fresh certificate all the same."""


class Authority:
    """A certificate authority in a directory: `ca.crt`, `ca.key` (0600), and what it issued.

    Several processes may open the same directory at once.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{directory / 'ca.key'} is not an elliptic curve key")
        self._key = key

    @classmethod
    def load_or_create(cls, directory: Path, name: str, clock: Clock | None = None) -> "Authority":
        """The authority kept in `directory`, made under the common name `name` if there is none."""
        clock = clock or SystemClock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(directory):
            # The certificate is written last: where it is, the key is too.
            if not (directory / "ca.crt").exists():
                _create(directory, name, _time(clock))
        return cls(directory, clock)

    @property
    def certificate_path(self) -> Path:
        """The CA's certificate in PEM form: what clients are told to trust."""
        return self._directory / "ca.crt"

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate_path.read_bytes()

    def certificate(
        self, names: Sequence[str], addresses: Sequence[str] = (), days: int = 397
    ) -> tuple[Path, Path]:
        """Paths of a server certificate (with the CA's behind it) and of its key (0600), in PEM.

        `names` are DNS names, wildcards included; `addresses` IP addresses. The same call gives the
        same files until a third of their time is left.
        """
        wanted = "\n".join((*sorted(names), *sorted(addresses)))
        stem = hashlib.sha256(wanted.encode()).hexdigest()[:16]
        paths = self._directory / f"{stem}.crt", self._directory / f"{stem}.key"
        with _locked(self._directory):
            if not self._usable(*paths):
                self._issue(names, addresses, days, *paths)
        return paths

    def _usable(self, certificate: Path, key: Path) -> bool:
        if not (certificate.exists() and key.exists()):
            return False
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        left = found.not_valid_after_utc - _time(self._clock)
        whole = found.not_valid_after_utc - found.not_valid_before_utc
        return found.issuer == self._certificate.subject and left > whole * RENEW_AT

    def _issue(
        self,
        names: Sequence[str],
        addresses: Sequence[str],
        days: int,
        certificate: Path,
        key: Path,
    ) -> None:
        now = _time(self._clock)
        private = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        issued = (
            x509.CertificateBuilder()
            .subject_name(_name((*names, *addresses)[0][:64]))
            .issuer_name(self._certificate.subject)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        _write(key, _key_pem(private), 0o600)
        _write(certificate, _pem(issued) + self.certificate_pem, 0o644)


def _create(directory: Path, name: str, now: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(directory / "ca.key", _key_pem(key), 0o600)
    _write(directory / "ca.crt", _pem(certificate), 0o644)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _time(clock: Clock) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(clock.now()), datetime.UTC)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and with its mode from the first byte on."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
