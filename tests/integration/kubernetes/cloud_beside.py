"""A store with one cluster that runs, beside a real control plane."""

import msgspec

from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.controllers.cluster_clients import ClusterClients
from longshore.controllers.interface import Surroundings
from longshore.model import eks
from longshore.store.interface import Key
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore

ACCOUNT, REGION, VPC = "123456789012", "us-east-1", "vpc-1"
KEY = Key(eks.CLUSTER.name, ACCOUNT, REGION, "shop")


class Cloud:
    """The cluster `shop` of the control plane; controllers look at it in its namespace."""

    def __init__(self, plane, directory):
        self.plane = plane
        self.store, self.clock, self.ids = MemoryStore(), FakeClock(), RandomIds()
        self.around = Surroundings(
            store=self.store,
            clock=self.clock,
            ids=self.ids,
            installation=Installation(data_dir=directory),
        )
        access = plane.access

        async def access_of(*_):
            return access

        self.clients = ClusterClients(access_of)
        cluster = eks.Cluster(
            name="shop",
            arn=eks.cluster_arn(REGION, ACCOUNT, "shop"),
            id="0123456789ABCDEF0123456789ABCDEF",
            version=plane.minor,
            role_arn="",
            created_at=0.0,
            created_by="",
            vpc_id=VPC,
            subnets=(),
            service_cidr=plane.plane.service_cidr,
        )
        self.put(eks.CLUSTER, "shop", cluster)
        status = eks.ClusterStatus(
            id=cluster.id, status="ACTIVE", version=plane.minor, endpoint=plane.access.url
        )
        self.put(eks.CLUSTER_STATUS, "shop", status)

    def put(self, kind, name, value):
        self.store._run(lambda tx: tx.put(kind, ACCOUNT, REGION, name, value), 1)

    def get(self, kind, name):
        record = self.store.reader.get(kind, ACCOUNT, REGION, name)
        return record.value if record is not None else None

    def change(self, kind, name, **fields):
        self.put(kind, name, msgspec.structs.replace(self.get(kind, name), **fields))

    def reconcile(self, make, key=KEY):
        """Let the controller that `make(surroundings, clients)` gives look once."""
        return self.plane.inside(lambda: make(self.around, self.clients).reconcile(key))

    def delete_paths(self, paths):
        """Have none of the objects at these paths of the API."""

        async def delete():
            client = await self.clients.client(KEY)
            for path in paths:
                await client.delete(path)

        self.plane.inside(delete)

    def close(self):
        async def forget():
            client = await self.clients.client(KEY)
            connections = list(client._connections._idle)
            self.clients.forget(KEY)
            for connection in connections:
                # Else the loop might end before they have.
                await connection._writer.wait_closed()

        self.plane.inside(forget)
