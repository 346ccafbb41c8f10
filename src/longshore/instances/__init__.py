"""EC2 instances as records: what they may be made from, made, and ended.

Enters: a transaction, who acts where (`Around`) and what is wanted, in the API's shapes. Leaves:
`model.instances.Instance` with its network interface and its data volumes, in the same transaction;
never a process.
The API, Auto Scaling and EKS's node groups share it; the instance's controller reads what it wrote.
"""

from longshore.instances.around import Around
from longshore.instances.ending import (
    give_up_interface,
    give_up_public_address,
    reboot_instance,
    start_instance,
    stop_instance,
    terminate_instance,
)
from longshore.instances.images import (
    MachineImage,
    fargate_image,
    fargate_images,
    machine_image,
    machine_images,
    public_parameters,
)
from longshore.instances.launching import run_instances
from longshore.instances.profiles import find_profile, role_of
from longshore.instances.templates import launch_request, template_of, version_of
from longshore.instances.types import InstanceType, instance_type

__all__ = [
    "Around",
    "InstanceType",
    "MachineImage",
    "fargate_image",
    "fargate_images",
    "find_profile",
    "give_up_interface",
    "give_up_public_address",
    "instance_type",
    "launch_request",
    "machine_image",
    "machine_images",
    "public_parameters",
    "reboot_instance",
    "role_of",
    "run_instances",
    "start_instance",
    "stop_instance",
    "template_of",
    "terminate_instance",
    "version_of",
]
