"""An instance's machine: the image that its task is of, and the task's definition."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.base.installation import Installation
from longshore.components import InstallFailed, component, install
from longshore.controllers.own_images import OwnImages
from longshore.controllers.system_account import EXECUTION_ROLE_ARN
from longshore.images.contents import Contents
from longshore.instances import MachineImage, fargate_images, machine_image
from longshore.instances.root import (
    base_contents,
    fargate_contents,
    missing_component,
    node_contents,
    pause_layout,
)
from longshore.model.arn import make_arn
from longshore.model.ecs import TaskDefinition
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.instances import Instance
from longshore.model.link_local import API_ADDRESS
from longshore.store.interface import Key

REPOSITORY = "machine-images"
CONTAINER = "machine"
STOP_SECONDS = 30
"""For so long an instance may take to go down before it is ended."""
OWN_CPU, OWN_MEMORY = 512, 256
"""CPU units and MiB that a machine of a Fargate pod has for itself, besides the pod's; of CPU it
may use more while nobody else wants that: the pod is bound inside the machine."""


class Machines:
    """Has machine images in the registry, and instances' disks on this host.

    `authority` is the certificate (PEM) that Longshore's endpoint and registry are checked by.
    """

    def __init__(self, installation: Installation, images: OwnImages, authority: str) -> None:
        self._installation = installation
        self._images = images
        self._authority = authority
        self._installing = asyncio.Lock()

    async def have_image(self, region: str, image_id: str) -> str:
        """The reference of the machine image, which is in the registry when this returns.

        What it lacks is installed first, which may take minutes. Raises LookupError where it cannot
        be made here.
        """
        image = _image(region, image_id)
        contents = await self._contents(image)
        kind = "fargate" if image.sandboxed else "node"
        name = f"{kind}-{image.kubernetes}" if image.kubernetes else "base"
        tag = await asyncio.to_thread(contents.tag)
        return await self._images.have(region, f"{REPOSITORY}/{name}", tag, contents)

    async def _contents(self, image: MachineImage) -> Contents:
        if not image.kubernetes:
            return await asyncio.to_thread(base_contents)
        async with self._installing:
            missing = missing_component(image.kubernetes)
            while missing:
                await self._install(missing)
                missing = missing_component(image.kubernetes)
            layout = self._installation.data_dir / "images" / "pause"
            if not (layout / "index.json").exists():
                await asyncio.to_thread(pause_layout, layout)
            contents = fargate_contents if image.sandboxed else node_contents
            return await asyncio.to_thread(contents, image.kubernetes, layout)

    async def _install(self, name: str) -> None:
        try:
            await asyncio.to_thread(install, component(name), lambda line: None)
        except (InstallFailed, OSError) as failure:
            raise LookupError(f"{name} could not be installed: {failure}") from failure

    def document(self, instance: Instance, reference: str) -> dict[str, Any]:
        """The task definition of an instance: one privileged container with init in it."""
        installation = self._installation
        variables = {
            "LONGSHORE_AUTHORITY": self._authority,
            "LONGSHORE_ENDPOINT": f"http://{API_ADDRESS}:{installation.port}",
            "LONGSHORE_REGISTRY": f"{installation.domain}:{installation.registry_port}",
            "LONGSHORE_MEMORY": str(instance.memory),
        }
        # A task's CPU is a limit, a container's is its share.
        memory, limit, share = instance.memory, {"cpu": str(instance.vcpus * 1024)}, {}
        if instance.fargate is not None:
            variables["LONGSHORE_POD_CPU"] = str(instance.fargate.cpu)
            memory += OWN_MEMORY
            limit, share = {}, {"cpu": instance.fargate.cpu + OWN_CPU}
        container = {
            "name": CONTAINER,
            "image": reference,
            "essential": True,
            "privileged": True,
            "memory": memory,
            **share,
            "stopTimeout": STOP_SECONDS,
            "environment": [{"name": k, "value": v} for k, v in variables.items()],
            "mountPoints": [{"sourceVolume": "disk", "containerPath": "/disk"}],
        }
        return {
            "family": instance.id,
            "networkMode": "awsvpc",
            **limit,
            "memory": str(memory),
            "executionRoleArn": EXECUTION_ROLE_ARN,
            "volumes": [{"name": "disk", "host": {"sourcePath": str(self.disk(instance.id))}}],
            "containerDefinitions": [container],
        }

    def disk(self, instance_id: str) -> Path:
        """Where what the instance writes is kept on its host, over its stops."""
        return self._installation.data_dir / "instances" / instance_id

    def forget_disk(self, instance_id: str) -> None:
        """Take it away."""
        shutil.rmtree(self.disk(instance_id), ignore_errors=True)


def _image(region: str, image_id: str) -> MachineImage:
    """The image of this id, Longshore's own ones too. Raises LookupError."""
    image = machine_image(region, image_id)
    if image is not None:
        return image
    for each in fargate_images(region):
        if each.id == image_id:
            return each
    raise LookupError(f"there is no machine image {image_id}")


def definition(key: Key, document: Mapping[str, Any], revision: int, now: float) -> TaskDefinition:
    """A revision of an instance's task definition, which is the system account's."""
    resource = f"task-definition/{document['family']}:{revision}"
    return TaskDefinition(
        arn=make_arn("ecs", key.region, SYSTEM_ACCOUNT, resource),
        family=document["family"],
        revision=revision,
        document=dict(document),
        compatibilities=("EC2",),
        requires_attributes=(),
        registered_at=now,
    )
