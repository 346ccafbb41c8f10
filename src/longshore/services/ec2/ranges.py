"""Address ranges as EC2 takes them."""

import ipaddress

from longshore.model.errors import AwsError

LARGEST, SMALLEST = 16, 28
"""Prefix lengths ("VPC CIDR blocks", VPC User Guide)."""
LINK_LOCAL = ipaddress.IPv4Network("169.254.0.0/16")
"""Is every VPC's already: metadata, resolvers, Longshore's own links."""


def parse_cidr(text: str, parameter: str) -> ipaddress.IPv4Network:
    """Any IPv4 range, its host bits cleared as EC2 does; AwsError InvalidParameterValue."""
    try:
        if "/" not in text:
            raise ValueError(text)
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError as error:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block.",
        ) from error


def parse_range(text: str, parameter: str, out_of_bounds: str) -> str:
    """A VPC's or subnet's range in its canonical form; AwsError `out_of_bounds` where none may be
    so large, so small or there."""
    network = parse_cidr(text, parameter)
    if not LARGEST <= network.prefixlen <= SMALLEST or network.overlaps(LINK_LOCAL):
        raise AwsError(out_of_bounds, f"The CIDR '{text}' is invalid.")
    return str(network)
