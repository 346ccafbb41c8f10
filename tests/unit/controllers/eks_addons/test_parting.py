"""What an add-on leaves behind when it goes."""

import pytest

from longshore.controllers.eks_addons import records
from longshore.model.eks_parts import (
    ADDON,
    POD_IDENTITY,
    Addon,
    PodIdentity,
    part_name,
    pod_identity_name,
)
from longshore.store.interface import Key
from longshore.testing.memory_store import MemoryStore

PLACE = ("123456789012", "us-east-1")
KEY = Key(ADDON.name, *PLACE, part_name("web", "driver"))


def addon(preserve):
    return Addon(
        cluster="web",
        name="driver",
        arn="driver",
        id="1",
        version="v1",
        created_at=0.0,
        modified_at=0.0,
        deleted_at=1.0,
        preserve=preserve,
    )


def association(account, owner):
    return PodIdentity(
        cluster="web",
        namespace="kube-system",
        service_account=account,
        arn=account,
        id=account,
        role_arn="role",
        owner_arn=owner,
        created_at=0.0,
        modified_at=0.0,
    )


@pytest.mark.parametrize(("preserve", "left"), [(False, {"mine": ""}), (True, None)])
async def test_roles_go_with_their_add_on_unless_what_it_installed_stays(preserve, left):
    store, gone = MemoryStore(), addon(preserve)

    def stage(tx):
        tx.put(ADDON, *PLACE, KEY.name, gone)
        for account, owner in (("mine", ""), ("drivers", "driver")):
            name = part_name("web", pod_identity_name("kube-system", account))
            tx.put(POD_IDENTITY, *PLACE, name, association(account, owner))

    await store.transact(stage)
    await store.transact(lambda tx: records.forget(tx, KEY, gone))
    found = [record.value for record in store.reader.scan(POD_IDENTITY)]
    owners = {each.service_account: each.owner_arn for each in found}
    assert owners == (left or {"mine": "", "drivers": ""})
    assert store.reader.get(ADDON, *PLACE, KEY.name) is None
