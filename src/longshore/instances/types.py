"""Instance types: what the common ones have ("Amazon EC2 instance types")."""

from collections.abc import Mapping
from functools import cache

import msgspec

Size = tuple[str, int, int, int, int]
"""Name, vCPUs, MiB of memory, ENIs, IPv4 addresses an ENI."""


MOST_FURTHER = 49
"""Secondary addresses of one interface, whatever has it."""


class InstanceType(msgspec.Struct, frozen=True, kw_only=True):
    """`memory` in MiB; `interfaces` and `addresses` (IPv4, of each) are the most it may have."""

    name: str
    architecture: str
    vcpus: int
    memory: int
    interfaces: int
    addresses: int
    burstable: bool = False
    current: bool = True

    @property
    def further_addresses(self) -> int:
        """How many secondary addresses an instance may have: as many as all the interfaces of its
        type together have, on the only one that it has here, within the bounds of an interface."""
        return min(MOST_FURTHER, self.interfaces * (self.addresses - 1))

    @property
    def has_own_limit(self) -> bool:
        """Whether its volumes are counted without its interfaces ("Amazon EBS volume limits for
        Amazon EC2 instances")."""
        return self.name.startswith((*_XEN, *_DEDICATED))

    @property
    def attachments(self) -> int:
        """How many volumes may be attached, or volumes and interfaces; the root volume is one."""
        if self.name.startswith(_XEN):
            return XEN_VOLUMES
        return DEDICATED_VOLUMES if self.has_own_limit else SHARED_ATTACHMENTS

    @property
    def data_volumes(self) -> int:
        """How many volumes may be attached besides the root volume, with its one interface."""
        return self.attachments - (1 if self.has_own_limit else 2)

    @property
    def branches(self) -> int:
        """How many branch interfaces, each of a pod's own, an instance may have ("Assign security
        groups to individual Pods", EKS User Guide, and the table of limits that it names)."""
        family, _, size = self.name.partition(".")
        if self.burstable:
            return 0
        return _MORE_BRANCHES.get((family[1:], size), _BRANCHES[size])

    @property
    def credits(self) -> str:
        """What a new one's CPU credits are ("Unlimited mode": T2 begins as standard)."""
        if not self.burstable:
            return ""
        return "standard" if self.name.startswith("t2.") else "unlimited"


XEN_VOLUMES, SHARED_ATTACHMENTS, DEDICATED_VOLUMES = 40, 28, 32
_XEN, _DEDICATED = ("t2.",), ("m7i.", "c7i.", "r7i.")

_BRANCHES = {
    **{"medium": 4, "large": 9, "xlarge": 18, "2xlarge": 38, "4xlarge": 54, "8xlarge": 54},
    **{"9xlarge": 54, "12xlarge": 54, "16xlarge": 107, "18xlarge": 107, "24xlarge": 107},
}
_MORE_BRANCHES = {("6i", "8xlarge"): 84, ("7i", "8xlarge"): 84}
"""By what follows the family's letter."""

_T = (
    ("nano", 2, 512, 2, 2),
    ("micro", 2, 1024, 2, 2),
    ("small", 2, 2048, 3, 4),
    ("medium", 2, 4096, 3, 6),
    ("large", 2, 8192, 3, 12),
    ("xlarge", 4, 16384, 4, 15),
    ("2xlarge", 8, 32768, 4, 15),
)


def _sizes(ratio: int, smallest: str = "large") -> tuple[Size, ...]:
    """The usual ladder of a family with `ratio` GiB a vCPU."""
    ladder = (
        ("medium", 1, 2, 4),
        ("large", 2, 3, 10),
        ("xlarge", 4, 4, 15),
        ("2xlarge", 8, 4, 15),
        ("4xlarge", 16, 8, 30),
        ("8xlarge", 32, 8, 30),
        ("12xlarge", 48, 8, 30),
        ("16xlarge", 64, 15, 50),
    )
    start = [name for name, *_ in ladder].index(smallest)
    return tuple(
        (name, vcpus, vcpus * ratio * 1024, enis, addresses)
        for name, vcpus, enis, addresses in ladder[start:]
    )


_FAMILIES: Mapping[str, tuple[str, tuple[Size, ...]]] = {
    "t2": (
        "x86_64",
        (
            ("nano", 1, 512, 2, 2),
            ("micro", 1, 1024, 2, 2),
            ("small", 1, 2048, 3, 4),
            ("medium", 2, 4096, 3, 6),
            ("large", 2, 8192, 3, 12),
        ),
    ),
    "t3": ("x86_64", _T),
    "t3a": ("x86_64", _T),
    "t4g": ("arm64", _T),
    "m5": ("x86_64", _sizes(4)),
    "m6i": ("x86_64", _sizes(4)),
    "m6g": ("arm64", _sizes(4, "medium")),
    "m7i": ("x86_64", _sizes(4)),
    "m7g": ("arm64", _sizes(4, "medium")),
    "c5": (
        "x86_64",
        (
            ("large", 2, 4096, 3, 10),
            ("xlarge", 4, 8192, 4, 15),
            ("2xlarge", 8, 16384, 4, 15),
            ("4xlarge", 16, 32768, 8, 30),
            ("9xlarge", 36, 73728, 8, 30),
            ("12xlarge", 48, 98304, 8, 30),
            ("18xlarge", 72, 147456, 15, 50),
            ("24xlarge", 96, 196608, 15, 50),
        ),
    ),
    "c6i": ("x86_64", _sizes(2)),
    "c6g": ("arm64", _sizes(2, "medium")),
    "c7i": ("x86_64", _sizes(2)),
    "c7g": ("arm64", _sizes(2, "medium")),
    "r5": ("x86_64", _sizes(8)),
    "r6i": ("x86_64", _sizes(8)),
    "r6g": ("arm64", _sizes(8, "medium")),
    "r7i": ("x86_64", _sizes(8)),
    "r7g": ("arm64", _sizes(8, "medium")),
}
_BURSTABLE = frozenset({"t2", "t3", "t3a", "t4g"})
_PREVIOUS = frozenset({"t2"})


@cache
def instance_types() -> Mapping[str, InstanceType]:
    """All by name, family by family."""
    return {
        f"{family}.{size}": InstanceType(
            name=f"{family}.{size}",
            architecture=architecture,
            vcpus=vcpus,
            memory=memory,
            interfaces=interfaces,
            addresses=addresses,
            burstable=family in _BURSTABLE,
            current=family not in _PREVIOUS,
        )
        for family, (architecture, sizes) in _FAMILIES.items()
        for size, vcpus, memory, interfaces, addresses in sizes
    }


def instance_type(name: str) -> InstanceType | None:
    """The type of this name, or None."""
    return instance_types().get(name)
