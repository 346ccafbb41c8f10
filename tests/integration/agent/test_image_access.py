"""An image on the host already is given to those tasks alone that its registry lets have it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.agent.endpoints.agent_host import make_host
from unit.agent.endpoints.endpoint_records import container, record

from longshore.agent.hooks.images import Images
from longshore.agent.hooks.interface import HookFailure, Work
from longshore.awsapi.signing import Keys
from longshore.base.clock import SystemClock
from longshore.model.principal import Credential
from longshore.nodeapi import acs
from longshore.runtime.interface import Image, ImageConfig, RegistryCredentials, RuntimeFailure
from longshore.runtime.simulated import SimulatedRuntime
from longshore.testing.ecr import RunningEcr
from longshore.testing.registry_client import CONFIG, LAYER, manifest, sha256

READ = """{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"""
STRANGERS = "111122223333"
SHARED = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{STRANGERS}:root"},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    },
}
REFUSED = "pull access denied"


class Holding(SimulatedRuntime):
    """Has every image that is named by digest; a pull of any is refused."""

    async def image(self, reference: str) -> Image | None:
        digest = reference.partition("@")[2]
        return Image(reference=reference, digest=digest, config=ImageConfig())

    async def pull(self, reference: str, credentials: RegistryCredentials | None) -> Image:
        raise RuntimeFailure("CannotPullContainerError", REFUSED)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEcr]:
    running = RunningEcr(tmp_path_factory.mktemp("ecr"))
    yield running
    running.close()


@pytest.fixture
def image(running: RunningEcr, request: pytest.FixtureRequest) -> str:
    """A private image of the installation's account, by its digest."""
    ecr, name = running.client(), f"tests/{abs(hash(request.node.name)):x}"
    ecr.create_repository(repositoryName=name)
    for content in (CONFIG, LAYER):
        upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
        ends = {"partFirstByte": 0, "partLastByte": len(content) - 1}
        names = {"repositoryName": name, "uploadId": upload}
        ecr.upload_layer_part(**names, **ends, layerPartBlob=content)
        ecr.complete_layer_upload(**names, layerDigests=[sha256(content)])
    ecr.put_image(repositoryName=name, imageManifest=manifest().decode())
    installation = running.installation
    host = installation.registry_host(installation.account, installation.region)
    return f"{host}/{name}@{sha256(manifest())}"


def ecr_authentication(running: RunningEcr, **changes: Any) -> acs.RegistryAuthentication:
    data = acs.EcrAuthData(
        registry_id=running.installation.account, region=running.installation.region, **changes
    )
    return acs.RegistryAuthentication(type="ecr", ecr_auth_data=data)


def work(
    running: RunningEcr,
    directory: Path,
    image: str,
    credential: Credential,
    authentication: acs.RegistryAuthentication | None = None,
) -> Work:
    """A new task on a host that has the image; `credential` stands for its execution role's."""
    host = make_host(directory, SystemClock())
    host.installation = running.installation
    host.runtime = Holding(SystemClock())
    asked = authentication or ecr_authentication(running)
    made = record(5, containers=(container("web", image=image, registry_authentication=asked),))
    keys = acs.RoleCredentials(
        access_key_id=credential.access_key_id,
        secret_access_key=credential.secret_access_key,
    )
    made.task = msgspec.structs.replace(made.task, execution_role_credentials=keys)
    made.containers["web"].image_digest = ""
    return Work(host=host, record=made, save=lambda: None)


async def test_task_has_the_image_without_a_pull_where_its_role_may(
    running: RunningEcr, tmp_path: Path, image: str
) -> None:
    task = work(running, tmp_path, image, running.user("reader", READ))
    await Images().set_up(task)
    assert task.images["web"].digest == sha256(manifest())


async def test_role_of_the_same_account_that_may_not_pull_does_not_have_the_image(
    running: RunningEcr, tmp_path: Path, image: str
) -> None:
    task = work(running, tmp_path, image, running.user("nobody"))
    with pytest.raises((RuntimeFailure, HookFailure), match=f"{REFUSED}|not authorized"):
        await Images().set_up(task)


async def test_another_account_has_the_image_only_where_the_repository_shares_it(
    running: RunningEcr, tmp_path: Path, image: str
) -> None:
    stranger = running.user("stranger", READ, STRANGERS)
    with pytest.raises(RuntimeFailure, match=REFUSED):
        await Images().set_up(work(running, tmp_path, image, stranger))
    name = image.partition("/")[2].partition("@")[0]
    policy = msgspec.json.encode(SHARED).decode()
    running.client().set_repository_policy(repositoryName=name, policyText=policy)
    task = work(running, tmp_path, image, stranger)
    await Images().set_up(task)
    assert task.images["web"].digest == sha256(manifest())


async def test_image_that_was_deleted_from_its_repository_is_used_no_more(
    running: RunningEcr, tmp_path: Path, image: str
) -> None:
    name, _, digest = image.partition("/")[2].partition("@")
    running.client().batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": digest}])
    with pytest.raises(RuntimeFailure, match=REFUSED):
        await Images().set_up(work(running, tmp_path, image, running.user("reader", READ)))


async def test_credentials_of_another_kind_never_have_the_host_ask_in_its_own_name(
    running: RunningEcr, tmp_path: Path, image: str
) -> None:
    own = running.user("longshore-host", READ)
    secret = acs.RegistryAuthentication(
        type="asm", asm_auth_data=acs.AsmAuthData(credentials_parameter="secret")
    )
    task = work(running, tmp_path, image, running.user("stranger", READ, STRANGERS), secret)
    task.host.keys = lambda: Keys(own.access_key_id, own.secret_access_key)
    with pytest.raises((RuntimeFailure, HookFailure)):
        await Images().set_up(task)


class Asking(Holding):
    """Has no image, and keeps what it is to pull with."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.given: list[RegistryCredentials | None] = []

    async def image(self, reference: str) -> Image | None:
        return None

    async def pull(self, reference: str, credentials: RegistryCredentials | None) -> Image:
        self.given.append(credentials)
        return await super().pull(reference, credentials)


ONLY_IN = """{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*",
"Condition":{"StringEquals":{"aws:RequestedRegion":"%s"}}}}"""


async def credentials(task: Work) -> RegistryCredentials | None:
    """What a pull of the task's image is given."""
    runtime = Asking()
    task.host.runtime = runtime
    with pytest.raises(RuntimeFailure, match=REFUSED):
        await Images().set_up(task)
    (given,) = runtime.given
    return given


async def test_token_is_asked_for_in_the_region_of_the_image(
    running: RunningEcr, tmp_path: Path
) -> None:
    there = "eu-central-1"
    account = running.installation.account
    host = running.installation.registry_host(account, there)
    authentication = acs.RegistryAuthentication(
        type="ecr", ecr_auth_data=acs.EcrAuthData(registry_id=account, region=there)
    )
    reader = running.user("in-one-region", ONLY_IN % there)
    task = work(running, tmp_path, f"{host}/web:1", reader, authentication)
    given = await credentials(task)
    assert given is not None
    assert (given.host, given.user) == (host, "AWS")


async def test_no_token_goes_to_a_host_that_only_looks_like_the_registry(
    running: RunningEcr, tmp_path: Path
) -> None:
    account, region = running.installation.account, running.installation.region
    image = f"{account}.dkr.ecr.{region}.example.com/web:1"
    task = work(running, tmp_path, image, running.user("reader", READ))
    assert await credentials(task) is None


async def test_host_asks_in_its_own_name_for_tasks_of_its_own_account_alone(
    running: RunningEcr, tmp_path: Path, image: str
) -> None:
    own = running.user("longshore-host", READ)
    without_role = ecr_authentication(running, use_execution_role=False)
    for account, given in ((running.installation.account, True), (STRANGERS, False)):
        task = work(running, tmp_path / account, image, own, without_role)
        arn = f"arn:aws:ecs:us-east-1:{account}:task/default/{task.record.id}"
        task.record.task = msgspec.structs.replace(
            task.record.task, arn=arn, execution_role_credentials=None
        )
        task.host.keys = lambda: Keys(own.access_key_id, own.secret_access_key)
        assert (await credentials(task) is not None) == given
