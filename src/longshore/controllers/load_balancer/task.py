"""A node's task: its image and its definition."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.components.libraries import with_libraries
from longshore.controllers.load_balancer.configuration import FILE, HERE, VERSION
from longshore.controllers.own_images import OwnImages
from longshore.controllers.system_account import EXECUTION_ROLE_ARN
from longshore.images.contents import Contents
from longshore.images.layout import busybox
from longshore.model.arn import make_arn
from longshore.model.ecs import TaskDefinition
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.elbv2 import LoadBalancer
from longshore.store.interface import Key

REPOSITORY = "elb/haproxy"
CONTAINER = "haproxy"
MEMORY = 64
"""MiB that a node is reckoned with; it is not held to it."""
FILES = 20_000
"""Open files: two for each connection."""
STOP_SECONDS = 5
RESTART_SECONDS = 60
START = f"""#!/bin/sh
# Runs HAProxy, and has it take over each new configuration without letting a connection go.
read -r taken <{HERE}/{VERSION}
haproxy -W -db -f {HERE}/{FILE} &
proxy=$!
trap 'kill -TERM $proxy' TERM INT
while kill -0 $proxy 2>/dev/null; do
    sleep 0.2
    read -r wanted <{HERE}/{VERSION}
    if [ -n "$wanted" ] && [ "$wanted" != "$taken" ]; then
        taken=$wanted
        kill -USR2 $proxy
    fi
done
wait $proxy
"""


def contents() -> Contents:
    """The image of HAProxy as this machine has it. LookupError where it has none."""
    found = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        raise LookupError("haproxy is missing: apt-get install haproxy")
    program = Path(found)
    return Contents(
        files={"bin/busybox": str(busybox()), **with_libraries(program)},
        links={"bin/sh": "busybox", "bin/sleep": "busybox"},
        texts={"start": START},
        config={"Entrypoint": ["/start"], "Env": [f"PATH={program.parent}:/bin"]},
    )


async def have_image(images: OwnImages, region: str) -> str:
    """The reference of the image, which is in the registry when this returns."""
    made = await asyncio.to_thread(contents)
    tag = await asyncio.to_thread(made.tag)
    return await images.have(region, REPOSITORY, tag, made)


def document(balancer: LoadBalancer, subnet_id: str, reference: str, files: Path) -> dict[str, Any]:
    """The task definition of the node in this subnet, whose files are in this directory."""
    container = {
        "name": CONTAINER,
        "image": reference,
        "essential": True,
        "memoryReservation": MEMORY,
        "stopTimeout": STOP_SECONDS,
        "ulimits": [{"name": "nofile", "softLimit": FILES, "hardLimit": FILES}],
        "mountPoints": [{"sourceVolume": "files", "containerPath": HERE}],
        "restartPolicy": {"enabled": True, "restartAttemptPeriod": RESTART_SECONDS},
    }
    return {
        "family": family(balancer, subnet_id),
        "networkMode": "awsvpc",
        "executionRoleArn": EXECUTION_ROLE_ARN,
        "volumes": [{"name": "files", "host": {"sourcePath": str(files)}}],
        "containerDefinitions": [container],
    }


def family(balancer: LoadBalancer, subnet_id: str) -> str:
    return f"{balancer.id}-{subnet_id}"


def definition(key: Key, document: Mapping[str, Any], revision: int, now: float) -> TaskDefinition:
    """A revision of a node's task definition, which is the system account's."""
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
