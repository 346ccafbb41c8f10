"""VPCs as kernel objects: router namespaces, veths, nftables, policy routes, public addresses.

Enters: `model.network.Network`, the whole network that this host is to have.
Leaves: kernel objects that carry the installation's id, and namespaces for sandboxes.
Only the agent drives it (`kernel.open_fabric`); it never sees the store.

`interface.py` defines the terms, `names.py` says what things are called in the kernel. What a
router filters is computed by pure functions (`router_rules`, `host_rules`, `admission`) and put
into the kernel by the others.
"""

from longshore.fabric.kernel import open_fabric

__all__ = ["open_fabric"]
