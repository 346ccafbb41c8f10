"""The regions that there are."""

from functools import cache

import msgspec

from longshore.awsapi.model import DATA


class _Partition(msgspec.Struct, frozen=True):
    id: str
    regions: dict[str, msgspec.Raw]


class _Partitions(msgspec.Struct, frozen=True):
    partitions: list[_Partition]


@cache
def regions_of_aws() -> frozenset[str]:
    """Every region of the `aws` partition, from botocore's data."""
    told = msgspec.json.decode((DATA / "partitions.json").read_bytes(), type=_Partitions)
    (own,) = [partition for partition in told.partitions if partition.id == "aws"]
    return frozenset(own.regions) - {"aws-global"}
