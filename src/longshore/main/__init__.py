"""Entry points, and the only place that wires implementations together.

Enters: the command line, `installation.json`. Leaves: running processes: the supervisor
(`longshore up`), the control plane, the agent and containerd.
"""
