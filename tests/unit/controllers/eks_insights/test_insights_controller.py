"""The loop of insights: when it looks, what it keeps, and what it takes away."""

import pytest

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.controllers.eks_insights import EksInsights, due
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.client import Refused
from longshore.model import eks
from longshore.model.eks_insights import INSIGHTS_REPORT, INSIGHTS_REQUEST, InsightsRequest
from longshore.store.interface import Key
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore

PLACE = ("123456789012", "us-east-1", "shop")
KEY = Key(eks.CLUSTER.name, *PLACE)
METRICS = """\
apiserver_requested_deprecated_apis{group="resource.k8s.io",removed_release="1.36",\
resource="resourceclaims",subresource="",version="v1beta1"} 1
apiserver_request_total{code="200",group="resource.k8s.io",resource="resourceclaims",\
subresource="",verb="LIST",version="v1beta1"} 4
"""


class PlayedApi:
    """An API server's objects by path, as a client would read them."""

    def __init__(self):
        self.objects = {
            "/apis/resource.k8s.io": {"preferredVersion": {"version": "v1"}},
            "/apis/resource.k8s.io/v1": {"resources": [{"name": "resourceclaims"}]},
        }
        self.nodes, self.pods, self.metrics = [], [], ""
        self.failure = None

    async def list(self, path, **query):
        if self.failure is not None:
            raise self.failure
        if path == "/api/v1/nodes":
            return self.nodes
        assert (path, query) == (
            "/api/v1/namespaces/kube-system/pods",
            {"labelSelector": "k8s-app=kube-proxy"},
        )
        return self.pods

    async def find(self, path):
        return self.objects.get(path)

    async def text(self, path):
        assert path == "/metrics"
        return self.metrics


class Clients:
    def __init__(self, api):
        self.api = api

    async def client(self, key):
        return self.api


class Loop:
    """The controller of one cluster, which runs 1.35."""

    def __init__(self, tmp_path):
        self.clock, self.store = FakeClock(), MemoryStore()
        self.api = PlayedApi()
        surroundings = Surroundings(
            store=self.store,
            clock=self.clock,
            ids=SeededIds(),
            installation=Installation(data_dir=tmp_path),
        )
        self.controller = EksInsights(surroundings, Clients(self.api))

    async def put(self, kind, value):
        await self.store.transact(lambda tx: tx.put(kind, *PLACE, value))

    async def delete(self, kind):
        await self.store.transact(lambda tx: tx.delete(kind, *PLACE))

    async def cluster(self, cluster_id="A" * 32, **status):
        cluster = eks.Cluster(
            name="shop",
            arn="arn:aws:eks:us-east-1:123456789012:cluster/shop",
            id=cluster_id,
            version="1.35",
            role_arn="arn",
            created_at=0.0,
            created_by="arn",
            vpc_id="vpc-1",
            subnets=("subnet-1",),
            service_cidr="10.100.0.0/16",
        )
        await self.put(eks.CLUSTER, cluster)
        shown = {"status": "ACTIVE", "version": "1.35", **status}
        await self.put(eks.CLUSTER_STATUS, eks.ClusterStatus(id=cluster_id, **shown))

    async def ask(self):
        request = InsightsRequest(id="A" * 32, asked_at=self.clock.now())
        await self.put(INSIGHTS_REQUEST, request)

    async def run(self):
        return await self.controller.reconcile(KEY)

    def report(self):
        record = self.store.reader.get(INSIGHTS_REPORT, *PLACE)
        return record.value if record is not None else None

    def found(self, name):
        (one,) = [each for each in self.report().insights if each.name == name]
        return one


@pytest.fixture
async def loop(tmp_path):
    made = Loop(tmp_path)
    await made.cluster()
    return made


def node(name, version):
    return {"metadata": {"name": name}, "status": {"nodeInfo": {"kubeletVersion": version}}}


def proxy(name, image):
    container = {"name": "kube-proxy", "image": image}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


async def test_what_the_cluster_tells_of_itself_is_told_again(loop):
    loop.api.nodes = [node("a", "v1.35.4"), node("b", "v1.31.0")]
    loop.api.objects["/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"] = {
        "spec": {"template": proxy("", "host:4568/eks/kube-proxy:v1.35.4-eksbuild.1-abc")}
    }
    loop.api.pods = [
        proxy("kube-proxy-a", "host:4568/eks/kube-proxy:v1.34.1-eksbuild.1-abc@sha256:00"),
        proxy("kube-proxy-b", "host:4568/eks/kube-proxy:v1.35.4-eksbuild.1-abc"),
    ]
    loop.api.metrics = METRICS
    assert await loop.run() == due.DAY_SECONDS
    kubelets = loop.found("Kubelet version skew")
    assert kubelets.status == "ERROR"
    assert [each.uri for each in kubelets.resources] == ["/api/v1/nodes/b"]
    proxies = loop.found("kube-proxy version skew")
    assert proxies.status == "WARNING"
    assert [each.uri.rpartition("/")[2] for each in proxies.resources] == ["kube-proxy-a"]
    (api,) = loop.found("Deprecated APIs removed in Kubernetes v1.36").deprecations
    assert (api.usage, api.replacement, api.requests) == (
        "/apis/resource.k8s.io/v1beta1/resourceclaims",
        "/apis/resource.k8s.io/v1/resourceclaims",
        4,
    )


async def test_a_cluster_is_looked_at_once_a_day_and_when_it_is_asked_for(loop):
    await loop.run()
    first = loop.report().refreshed_at
    loop.clock.advance(60)
    assert await loop.run() == due.DAY_SECONDS - 60
    assert loop.report().refreshed_at == first
    await loop.ask()
    await loop.run()
    report = loop.report()
    assert (report.answers, report.refreshed_at) == (loop.clock.now(), loop.clock.now())
    loop.clock.advance(due.DAY_SECONDS)
    await loop.run()
    assert loop.report().refreshed_at == loop.clock.now()


@pytest.mark.parametrize("failure", [ConnectionRefusedError("no"), Refused(503, "", "busy", {})])
async def test_who_waits_for_a_cluster_that_does_not_answer_is_told_in_time(loop, failure):
    await loop.run()
    known = loop.report().insights
    loop.api.failure = failure
    loop.clock.advance(60)
    await loop.ask()
    assert await loop.run() == due.AGAIN_SECONDS
    assert loop.report().failure == ""
    loop.clock.advance(due.PATIENCE_SECONDS)
    await loop.run()
    report = loop.report()
    assert report.failure.startswith("The cluster did not answer")
    assert (report.insights, report.ended_at) == (known, loop.clock.now())
    # Whatever failed is not asked for any more.
    assert await loop.run() > due.LATER_SECONDS
    loop.api.failure = None
    loop.clock.advance(1)
    await loop.ask()
    await loop.run()
    assert loop.report().failure == ""


async def test_another_version_is_looked_at_at_once(loop):
    await loop.run()
    update = eks.Update(
        cluster="shop",
        id="1",
        type="VersionUpdate",
        params=(("Version", "1.36"),),
        created_at=loop.clock.now(),
        status="Successful",
    )
    await loop.store.transact(lambda tx: tx.put(eks.UPDATE, *PLACE[:2], "shop/1", update))
    await loop.cluster(version="1.36")
    await loop.run()
    versions = {(each.category, each.version) for each in loop.report().insights}
    assert versions == {("UPGRADE_READINESS", "1.37"), ("ROLLBACK_READINESS", "1.35")}


async def test_nothing_is_left_of_a_cluster_that_is_gone_or_another_one(loop):
    await loop.run()
    await loop.ask()
    await loop.cluster(cluster_id="B" * 32, status="CREATING")
    await loop.run()
    assert loop.report() is None
    assert loop.store.reader.get(INSIGHTS_REQUEST, *PLACE) is None
    await loop.cluster(cluster_id="A" * 32)
    await loop.run()
    await loop.delete(eks.CLUSTER)
    # What went while nobody looked is found at the next start.
    assert set(loop.controller.every_key(loop.store.reader)) == {KEY}
    await loop.run()
    assert loop.report() is None
