"""Clients of clusters' API servers are kept for as long as these are reached in the same way."""

import msgspec
import pytest

from longshore.controllers.cluster_clients import ClusterClients
from longshore.kubernetes import administrator, new_keys
from longshore.kubernetes.access import Access
from longshore.model.eks import CLUSTER
from longshore.store.interface import Key

KEY = Key(CLUSTER.name, "123456789012", "us-east-1", "shop")


@pytest.fixture(scope="module")
def access():
    keys = new_keys("shop", 0.0)
    client = administrator(keys, 0.0)
    return Access(
        url="https://shop.example",
        authority_pem=keys.cluster.certificate,
        client_cert_pem=client.certificate,
        client_key_pem=client.key,
        address="192.0.2.1",
    )


async def test_a_client_is_another_once_the_control_plane_is_elsewhere(access):
    now = access

    async def access_of(account, region, name):
        assert (account, region, name) == (KEY.account, KEY.region, KEY.name)
        return now

    clients = ClusterClients(access_of)
    first = await clients.client(KEY)
    assert await clients.client(KEY) is first
    now = msgspec.structs.replace(access, address="192.0.2.2")
    second = await clients.client(KEY)
    assert second is not first
    now = None
    assert await clients.client(KEY) is None
    now = access
    assert await clients.client(KEY) not in {first, second}
