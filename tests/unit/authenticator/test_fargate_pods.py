"""What becomes of pods that a Fargate profile means, when they are made."""

import msgspec
import pytest
from unit.authenticator.test_users import ACCOUNT, cluster

from longshore.authenticator.fargate_pods import mutate
from longshore.authenticator.pods import Asked
from longshore.model.eks_parts import (
    FARGATE_PROFILE,
    FARGATE_PROFILE_STATUS,
    FargateProfile,
    FargateProfileStatus,
    FargateSelector,
    part_name,
)
from longshore.testing.memory_store import MemoryStore

REGION = "us-east-1"
POD = {
    "metadata": {"name": "a", "labels": {"app": "a"}},
    "spec": {"schedulerName": "default-scheduler"},
}
PROFILE = FargateProfile(
    cluster="demo",
    name="fp",
    arn="arn:fp",
    id="1",
    created_at=0.0,
    role_arn="",
    subnets=(),
    selectors=(FargateSelector("apps"),),
)
ACTIVE = FargateProfileStatus(id="1", status="ACTIVE")


async def changed(profile=PROFILE, status=ACTIVE, namespace="apps"):
    store, place = MemoryStore(), (ACCOUNT, REGION, part_name("demo", "fp"))

    def put(tx):
        tx.put(FARGATE_PROFILE, *place, profile)
        if status is not None:
            tx.put(FARGATE_PROFILE_STATUS, *place, status)

    await store.transact(put)
    asked = Asked(
        reader=store.reader,
        account=ACCOUNT,
        region=REGION,
        cluster=cluster(),
        namespace=namespace,
        api="http://169.254.170.100:4566",
    )
    return mutate(POD, asked)


async def test_a_pod_that_a_profile_means_is_fargates():
    pod = await changed()
    assert pod["metadata"]["labels"] == {"app": "a", "eks.amazonaws.com/fargate-profile": "fp"}
    assert pod["spec"]["schedulerName"] == "fargate-scheduler"
    assert pod["spec"]["priorityClassName"] == "system-node-critical"


async def test_a_pod_of_another_namespace_stays_as_it_is():
    assert await changed(namespace="default") is POD


@pytest.mark.parametrize(
    ("profile", "status"),
    [
        (PROFILE, None),
        (PROFILE, FargateProfileStatus(id="1", status="CREATING")),
        (PROFILE, FargateProfileStatus(id="of an earlier one", status="ACTIVE")),
        (msgspec.structs.replace(PROFILE, deleted_at=1.0), ACTIVE),
    ],
)
async def test_a_profile_that_is_not_active_means_no_pod(profile, status):
    assert await changed(profile, status) is POD
