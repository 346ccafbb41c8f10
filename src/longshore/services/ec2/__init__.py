"""Amazon EC2: VPCs and all in them, instances, and what they are launched from.

Enters: requests of the ec2 protocol. Leaves: records of `model.ec2`, `model.instances` and
`model.volumes` in the transaction; the bookkeeping shared with controllers (addresses, ENIs,
default VPC) is `longshore.vpc`'s, that of launching and ending `longshore.instances`'.
One module a noun; `operations.py` lists what is built, `authorization.py` what IAM is asked.
"""

from longshore.services.ec2.authorization import resources
from longshore.services.ec2.operations import operations
from longshore.services.interface import Service


def service() -> Service:
    """EC2 as the gateway offers it."""
    return Service(name="ec2", iam_prefix="ec2", operations=operations(), resources=resources())
