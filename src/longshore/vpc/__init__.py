"""VPC bookkeeping in transactions: addresses, ENIs, VPCs with what belongs to them.

Enters: a transaction and what is wanted. Leaves: records of `model.ec2`, and `host_network`, the
network that one host is to have. Services and controllers share it; it never touches the kernel.
"""

from longshore.vpc.creation import create_default_vpc
from longshore.vpc.interfaces import create_network_interface, delete_network_interface
from longshore.vpc.projection import host_network

__all__ = [
    "create_default_vpc",
    "create_network_interface",
    "delete_network_interface",
    "host_network",
]
