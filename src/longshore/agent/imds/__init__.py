"""The instance metadata service: what answers EC2 instances at 169.254.169.254.

Enters: HTTP in every VPC router's namespace; `Host.instances`, and the fabric's network, which
tells whose a peer's address is. Leaves: the instance's own metadata, user data and credentials
(`tree`), to whoever shows a token (`tokens`) where the instance wants one; to peers that are no
instance nothing at all (`service`).
"""

from longshore.agent.imds.service import run_imds

__all__ = ["run_imds"]
