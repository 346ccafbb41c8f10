"""Has every container's image here and unpacked, with the execution role's credentials."""

import asyncio
import base64

import msgspec

from longshore.agent.hooks.interface import HookFailure, Work
from longshore.agent.patience import patiently
from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.nodeapi import acs
from longshore.runtime.interface import Image, RegistryCredentials, RegistryUnreachable

ATTEMPTS = 5
RETRY_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5.0


class Images:
    """Pulls side by side; images stay when the task ends, for the next one."""

    async def set_up(self, work: Work) -> None:
        """See `interface.Hook`."""
        record = work.record
        references = {container.image: container for container in work.task.containers}
        if not record.pull_started_at:
            record.pull_started_at = work.host.clock.now()
        images = await asyncio.gather(
            *(self._image(work, container) for container in references.values())
        )
        if not record.pull_stopped_at:
            record.pull_stopped_at = work.host.clock.now()
        by_reference = dict(zip(references, images, strict=True))
        for container in work.task.containers:
            image = by_reference[container.image]
            work.images[container.name] = image
            record.containers[container.name].image_digest = image.digest
        work.save()

    async def tear_down(self, work: Work) -> None:
        """See `interface.Hook`."""

    async def _image(self, work: Work, container: acs.Container) -> Image:
        """One pull of an image at a time: who comes second finds it here."""
        async with work.host.pulling[container.image]:
            return await _here(work, container) or await _pull(work, container)


async def _here(work: Work, container: acs.Container) -> Image | None:
    """The image, if it is on this host as its registry has it now and the task may have it.

    Longshore's own registry is asked, which costs a few milliseconds; a pull costs a hundred. Of
    others, a digest never changes, and a tag is asked for again, as Fargate does.
    """
    here = await work.host.runtime.image(container.image)
    if here is None:
        return None
    if _is_own(work, container):
        return here if await _digest(work, container) == here.digest else None
    known = work.record.containers[container.name].image_digest
    return here if known == here.digest or "@sha256:" in container.image else None


def _is_own(work: Work, container: acs.Container) -> bool:
    installation = work.host.installation
    host = container.image.partition("/")[0]
    return host.endswith(f".{installation.domain}:{installation.registry_port}")


async def _digest(work: Work, container: acs.Container) -> str:
    """What the image's tag stands for in ECR; empty where the task may not know."""
    data = _ecr_data(work, container)
    if data is None or not _may_ask(work, data):
        return ""
    name, mark, digest = container.image.partition("/")[2].partition("@")
    repository, _, tag = name.partition(":")
    request = {
        "registryId": data.registry_id,
        "repositoryName": repository,
        "imageIds": [{"imageDigest": digest} if mark else {"imageTag": tag or "latest"}],
    }
    async with work.host.client(_role(work, data), data.region) as client:
        try:
            reply = await patiently(
                lambda: client.call("ecr", "BatchGetImage", request), work.host.clock
            )
        except AwsError:
            # The pull says it in the words that belong to it.
            return ""
    images = reply.get("images") or []
    return str(images[0]["imageId"]["imageDigest"]) if images else ""


async def _pull(work: Work, container: acs.Container) -> Image:
    """Fetch the image. A registry that cannot be reached is tried again: Longshore's own until it
    is back (it dies and comes with the control plane), others a few times, as ECS's agent does."""
    attempt = 0
    while True:
        try:
            return await work.host.runtime.pull(
                container.image, await credentials_for(work, container)
            )
        except RegistryUnreachable:
            attempt += 1
            if not _is_own(work, container) and attempt >= ATTEMPTS:
                raise
        await work.host.clock.sleep(min(RETRY_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS))


async def credentials_for(work: Work, container: acs.Container) -> RegistryCredentials | None:
    """What the image's registry wants to see. Raises `HookFailure`."""
    authentication = container.registry_authentication
    if authentication is None:
        return None
    host = container.image.partition("/")[0]
    data = _ecr_data(work, container)
    if authentication.type == "ecr" and (data is None or not _may_ask(work, data)):
        # The registry says itself that it gives nothing to a stranger.
        return None
    try:
        if data is not None:
            user, password = await _ecr(work, data)
        else:
            user, password = await _secret(work, authentication.asm_auth_data or acs.AsmAuthData())
    except AwsError as error:
        raise HookFailure(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution "
            "resource retrieval failed: unable to retrieve ecr registry auth: service call has "
            f"been retried 1 time(s): {error}"
        ) from error
    return RegistryCredentials(host, user, password)


def _ecr_data(work: Work, container: acs.Container) -> acs.EcrAuthData | None:
    """How to ask ECR for the image; None where it is no image of this installation's ECR.

    A name that only looks like ECR's gets no token: whoever answers under it could use that.
    """
    authentication = container.registry_authentication
    if authentication is None or authentication.type != "ecr":
        return None
    data = authentication.ecr_auth_data
    if data is None:
        return None
    own = work.host.installation.registry_host(data.registry_id, data.region)
    return data if container.image.partition("/")[0] == own else None


def _may_ask(work: Work, data: acs.EcrAuthData) -> bool:
    """Whether there is somebody to ask as: the host, as an instance's role, asks for its own
    account's tasks only, and for those alone that have no execution role."""
    if data.use_execution_role:
        return work.task.execution_role_credentials is not None
    arn = parse_arn(work.task.arn)
    return arn is not None and arn.account == work.host.installation.account


def _role(work: Work, data: acs.EcrAuthData) -> acs.RoleCredentials | None:
    return work.task.execution_role_credentials if data.use_execution_role else None


async def _ecr(work: Work, data: acs.EcrAuthData) -> tuple[str, str]:
    """User and password for the registry, from the region that the image is in."""
    request = {"registryIds": [data.registry_id]} if data.registry_id else {}
    async with work.host.client(_role(work, data), data.region) as client:
        reply = await patiently(
            lambda: client.call("ecr", "GetAuthorizationToken", request), work.host.clock
        )
    token = base64.b64decode(reply["authorizationData"][0]["authorizationToken"]).decode()
    user, _, password = token.partition(":")
    return user, password


async def _secret(work: Work, data: acs.AsmAuthData) -> tuple[str, str]:
    """`{"username": …, "password": …}` ("Using non-AWS container images in Amazon ECS")."""
    async with work.host.client(work.task.execution_role_credentials) as client:
        request = {"SecretId": data.credentials_parameter}
        reply = await patiently(
            lambda: client.call("secretsmanager", "GetSecretValue", request), work.host.clock
        )
    try:
        found = msgspec.json.decode(reply["SecretString"], type=dict[str, str])
        return found["username"], found["password"]
    except (msgspec.DecodeError, KeyError) as error:
        raise HookFailure(
            "CannotPullContainerError: the registry credentials' secret holds no username and "
            "password"
        ) from error
