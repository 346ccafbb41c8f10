"""Amazon EC2's networking: VPCs and all in them, and what may be asked of regions and types.

Enters: requests of the ec2 protocol. Leaves: records of `model.ec2` in the transaction; the
bookkeeping shared with controllers (addresses, ENIs, default VPC) is `longshore.vpc`'s.
One module a noun; `operations.py` lists what is built, `authorization.py` what IAM is asked.
"""

from longshore.services.ec2.authorization import resources
from longshore.services.ec2.operations import operations
from longshore.services.interface import Service


def service() -> Service:
    """EC2 as the gateway offers it."""
    return Service(name="ec2", iam_prefix="ec2", operations=operations(), resources=resources())
