"""AWS's documented request rates, as token buckets an account and region.

Sources: "Request throttling for the Amazon EC2 API" (Amazon EC2 developer guide), "Request
throttling for the Amazon ECS API" and "Amazon ECR service quotas".
"""

from typing import NamedTuple


class Limit(NamedTuple):
    """`burst` tokens at most, `rate` come back each second; operations of a category share them."""

    category: str
    burst: int
    rate: float


EC2_READS = Limit("ec2:non-mutating", 100, 20.0)
EC2_WRITES = Limit("ec2:mutating", 50, 5.0)
READS = ("Describe", "Get", "List", "Search", "Export", "Batch")


def limit_of(service: str, operation: str) -> Limit | None:
    """The bucket of an operation; None where AWS documents none."""
    if service == "ec2":
        return EC2_READS if operation.startswith(READS) else EC2_WRITES
    return None
