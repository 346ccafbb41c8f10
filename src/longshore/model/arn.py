"""Amazon Resource Names ("Identify AWS resources with Amazon Resource Names", AWS reference)."""

from functools import lru_cache
from typing import NamedTuple

LONGEST_KEPT = 512
"""Characters of an ARN that is kept once it was read."""


class Arn(NamedTuple):
    """`arn:partition:service:region:account:resource`; `resource` keeps its slashes and colons."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return ":".join(("arn", *self))

    @property
    def resource_type(self) -> str:
        """What stands before the first `/` (or `:`) of the resource; empty where there is none."""
        head = self.resource.replace(":", "/", 1).split("/", 1)
        return head[0] if len(head) == 2 else ""

    @property
    def resource_id(self) -> str:
        """What stands after the first `/` (or `:`) of the resource, or all of it."""
        return self.resource.replace(":", "/", 1).split("/", 1)[-1]


def parse_arn(text: str) -> Arn | None:
    """The parts of an ARN, or None where `text` is not one."""
    return _kept_parts(text) if len(text) <= LONGEST_KEPT else _parts(text)


def _parts(text: str) -> Arn | None:
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
        return None
    return Arn(*parts[1:])


_kept_parts = lru_cache(maxsize=4096)(_parts)
"""Requests name the same resources again and again."""


def make_arn(service: str, region: str, account: str, resource: str) -> str:
    """An ARN of the `aws` partition."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"
