"""The installation's own certificate authority, for names that no public one would vouch for."""

import datetime
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509

from longshore.base.certificates import CERTIFICATE_DAYS, KeyPair, Subject, issue, new_authority
from longshore.base.clock import Clock, SystemClock

RENEW_AT = 1 / 3
"""A certificate is made anew when less than this part of its time is left."""


class Authority:
    """A certificate authority in a directory: `ca.crt`, `ca.key` (0600), and what it issued.

    Several processes may open the same directory at once.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._pair = KeyPair(self.certificate_pem, (directory / "ca.key").read_bytes())
        self._name = x509.load_pem_x509_certificate(self._pair.certificate).subject

    @classmethod
    def load_or_create(cls, directory: Path, name: str, clock: Clock | None = None) -> "Authority":
        """The authority kept in `directory`, made under the common name `name` if there is none."""
        clock = clock or SystemClock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(directory):
            # The certificate is written last: where it is, the key is too.
            if not (directory / "ca.crt").exists():
                _create(directory, name, clock.now())
        return cls(directory, clock)

    @property
    def certificate_path(self) -> Path:
        """The CA's certificate in PEM form: what clients are told to trust."""
        return self._directory / "ca.crt"

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate_path.read_bytes()

    def certificate(
        self, names: Sequence[str], addresses: Sequence[str] = (), days: int = CERTIFICATE_DAYS
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
                subject = Subject(
                    common_name=(*names, *addresses)[0],
                    names=tuple(names),
                    addresses=tuple(addresses),
                    server=True,
                )
                self._issue(subject, days, *paths)
        return paths

    def _usable(self, certificate: Path, key: Path) -> bool:
        if not (certificate.exists() and key.exists()):
            return False
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        left = found.not_valid_after_utc - _time(self._clock)
        whole = found.not_valid_after_utc - found.not_valid_before_utc
        return found.issuer == self._name and left > whole * RENEW_AT

    def _issue(self, subject: Subject, days: int, certificate: Path, key: Path) -> None:
        issued = issue(self._pair, subject, self._clock.now(), days)
        _write(key, issued.key, 0o600)
        _write(certificate, issued.certificate, 0o644)


def _create(directory: Path, name: str, now: float) -> None:
    made = new_authority(name, now)
    _write(directory / "ca.key", made.key, 0o600)
    _write(directory / "ca.crt", made.certificate, 0o644)


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
