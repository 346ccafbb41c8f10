"""What answers inside containers at 169.254.170.2: task metadata, credentials, the agent's API.

Enters: HTTP from containers, in every VPC router's namespace and on the host's loopback. Leaves:
JSON about the task that asks, and about no other (`callers`).
"""

from longshore.agent.endpoints.listening import choose_local_port, run_endpoints

__all__ = ["choose_local_port", "run_endpoints"]
