"""Which Availability Zone is next; pure.

("Benefits of Auto Scaling for application architecture": distribution of instances, rebalancing)
"""

from collections import Counter
from collections.abc import Iterable, Sequence

TOLERATED = 1
"""By how many instances zones may differ."""


def in_order(zones: Sequence[str], taken: Iterable[str]) -> list[str]:
    """The zones, those with the fewest members first; `taken` has a zone for each member."""
    counts = Counter(taken)
    return sorted(zones, key=lambda zone: (counts[zone], zones.index(zone)))


def imbalance(zones: Sequence[str], taken: Iterable[str]) -> tuple[str, str] | None:
    """A zone that has a member too many, and the one that lacks it; None where all is even.

    Whatever is in a zone that the group no longer has is one too many.
    """
    if not zones:
        return None
    counts = Counter(taken)
    lacking = in_order(zones, counts.elements())[0]
    left = sorted(zone for zone in counts if zone not in zones)
    if left:
        return left[0], lacking
    fullest = max(zones, key=lambda zone: counts[zone])
    return (fullest, lacking) if counts[fullest] - counts[lacking] > TOLERATED else None
