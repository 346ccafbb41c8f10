"""Encryption of a cluster's secrets with a KMS key: the provider beside the API server, and what
becomes of the key (docs/decisions/0118)."""

import asyncio
from collections.abc import Iterable
from typing import Any

from longshore.components import obtain
from longshore.controllers.own_images import OwnImages
from longshore.images.contents import Contents
from longshore.kubernetes.encryption import HEALTH, provider_command
from longshore.model.arn import parse_arn
from longshore.model.eks import CLUSTER, Cluster, Issue, encryption_grant
from longshore.model.kms import GRANT, KEY, Grant, grant_name
from longshore.store.interface import Change, Key, Reader, Transaction

REPOSITORY = "eks/kms-plugin"
PROGRAM = "kms-plugin"
KEY_KINDS = (KEY, GRANT)
RESERVED_MIB, SHARES, RESTART_SECONDS, STOP_SECONDS = 16, 128, 60, 10


async def have_provider(images: OwnImages, region: str) -> str:
    """Have the provider's image in the registry, and its program, which is built where it is
    missing; the image's reference. Raises `InstallFailed`."""
    program = await asyncio.to_thread(obtain, PROGRAM)
    contents = Contents(files={PROGRAM: str(program)}, config={"Entrypoint": [f"/{PROGRAM}"]})
    return await images.have(region, REPOSITORY, program.parent.name, contents)


def encrypted(document: dict[str, Any], cluster: Cluster, reference: str) -> dict[str, Any]:
    """The task of an API server, with the provider of this image beside it, as the cluster's role.

    An API server that has been ready stays so while the key is of no use: what it knows it can
    still read.
    """
    provider = {
        "name": PROGRAM,
        "image": reference,
        "essential": True,
        "command": provider_command(cluster.encryption_key, cluster.arn),
        "cpu": SHARES,
        "memoryReservation": RESERVED_MIB,
        "stopTimeout": STOP_SECONDS,
        "restartPolicy": {"enabled": True, "restartAttemptPeriod": RESTART_SECONDS},
    }
    others = [_after_provider(each) for each in document["containerDefinitions"]]
    return {
        **document,
        "taskRoleArn": cluster.role_arn,
        "containerDefinitions": [provider, *others],
    }


def _after_provider(container: dict[str, Any]) -> dict[str, Any]:
    check = container.get("healthCheck")
    if check is None:
        return container
    *command, path = check["command"]
    first = {"containerName": PROGRAM, "condition": "START"}
    return {
        **container,
        "dependsOn": [*container["dependsOn"], first],
        "healthCheck": {**check, "command": [*command, f"{path}?exclude={HEALTH}"]},
    }


def encryption_issues(reader: Reader, cluster: Cluster) -> tuple[Issue, ...]:
    """What is in the way of a cluster's key ("ClusterIssue", Amazon EKS API Reference)."""
    parts = parse_arn(cluster.encryption_key)
    if parts is None:
        return ()
    code, message = _issue(reader, cluster, parts.account, parts.region, parts.resource_id)
    return (Issue(code, message, (cluster.encryption_key,)),) if code else ()


def _issue(
    reader: Reader, cluster: Cluster, account: str, region: str, key_id: str
) -> tuple[str, str]:
    """Code and message; both empty where the key is of use."""
    name = cluster.encryption_key
    record = reader.get(KEY, account, region, key_id)
    if record is None:
        return "KmsKeyNotFound", f"The KMS key {name} was not found."
    if record.value.deletes_at:
        return "KmsKeyMarkedForDeletion", f"The KMS key {name} is to be deleted."
    if not record.value.enabled:
        return "KmsKeyDisabled", f"The KMS key {name} is disabled."
    grant = reader.get(GRANT, account, region, grant_name(key_id, encryption_grant(cluster)))
    if grant is None:
        return "KmsGrantRevoked", f"The cluster's grant for the KMS key {name} was revoked."
    return "", ""


def clusters_of_key(change: Change, reader: Reader) -> Iterable[Key]:
    """The clusters that a change of a key, or of a grant for one, may be about."""
    record: Any = change.after or change.before
    value = record.value
    key_id = value.key_id if isinstance(value, Grant) else value.id
    for cluster in reader.scan(CLUSTER):
        parts = parse_arn(cluster.value.encryption_key)
        if parts is not None and parts.resource_id == key_id:
            yield cluster.key


def forget_grant(tx: Transaction, cluster: Cluster) -> None:
    """Retire the cluster's grant."""
    parts = parse_arn(cluster.encryption_key)
    if parts is not None:
        name = grant_name(parts.resource_id, encryption_grant(cluster))
        tx.delete(GRANT, parts.account, parts.region, name)
