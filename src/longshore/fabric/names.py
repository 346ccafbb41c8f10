"""What the fabric's objects are called in the kernel.

All names in the host's namespace carry the installation's id: namespaces `ls-<id>-<vpc or eni id>`,
uplinks `ls<id>u<digest>`, the nftables table `longshore-<id>`. Names inside a router's own
namespace need not.
"""

import hashlib
from pathlib import Path

NETNS_DIR = Path("/run/netns")

ROUTER_TABLE = "longshore"
UPLINK = "uplink"
"""The router's end of the link to its host."""
ENI_DEVICE = "eth0"
"""The ENI inside its own namespace."""
FURTHER_DEVICE = "eth{}"
"""Further ENIs there, counted from 1."""

BRANCH_DEVICE = "vlan.eth.{}"
"""Branch ENIs there, by their number, as the VPC CNI plugin calls them."""

ROUTE_PROTOCOL = 76
"""Marks routes as the fabric's (rtm_protocol; not in use by others)."""


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def namespace_prefix(installation_id: str) -> str:
    return f"ls-{installation_id}-"


def namespace_path(installation_id: str, resource_id: str) -> Path:
    """The namespace of a VPC's router (`vpc-…`) or of an ENI (`eni-…`)."""
    return NETNS_DIR / (namespace_prefix(installation_id) + resource_id)


def uplink_prefix(installation_id: str) -> str:
    return f"ls{installation_id}u"


def uplink_name(installation_id: str, vpc_id: str) -> str:
    """The host's end of the link to a router: 15 characters, the most that IFNAMSIZ allows."""
    return uplink_prefix(installation_id) + _digest(vpc_id, 6)


def port_name(interface_id: str) -> str:
    """The router's end of an ENI's veth."""
    return "e" + _digest(interface_id, 14)


def host_table(installation_id: str) -> str:
    return f"longshore-{installation_id}"
