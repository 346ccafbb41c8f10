"""Ids as an argument: AWS's shapes, from random bytes in production and from a seed in tests."""

import random
import secrets
import uuid
from typing import Protocol

SUPPLY_UUIDS = 32


class Ids(Protocol):
    """A source of fresh identifiers."""

    def hex(self, digits: int) -> str:
        """`digits` random lower-case hexadecimal digits."""

    def uuid(self) -> str:
        """A random UUID in its 36-character form (RFC 9562, version 4)."""


class RandomIds:
    """Unpredictable ids, from the kernel's random source.

    UUIDs are cut from a supply of its bytes: each request has one, and asking costs a system call.
    """

    def __init__(self) -> None:
        self._supply = ""

    def hex(self, digits: int) -> str:
        return secrets.token_hex((digits + 1) // 2)[:digits]

    def uuid(self) -> str:
        if not self._supply:
            self._supply = secrets.token_hex(16 * SUPPLY_UUIDS)
        digits, self._supply = self._supply[-32:], self._supply[:-32]
        variant = "89ab"[int(digits[16], 16) & 3]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
        )


class SeededIds:
    """Repeatable ids for tests: the same seed gives the same sequence."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose, tests only

    def hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
