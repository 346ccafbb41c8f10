"""Containers: one interface; containerd with runc and gVisor behind it, and a simulation.

Enters: `SandboxSpec`, `ContainerSpec`. Leaves: running processes, exits, statistics.
Only the agent drives it; it never sees the store. `interface.py` defines the terms.
"""
