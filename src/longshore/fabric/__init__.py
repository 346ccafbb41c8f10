"""VPCs as kernel objects: router namespaces, veths, nftables, policy routes, public addresses.

Enters: `model.network.Network`, the whole network that this host is to have.
Leaves: kernel objects that carry the installation's id, and namespaces for sandboxes.
Only the agent drives it; it never sees the store.
"""
