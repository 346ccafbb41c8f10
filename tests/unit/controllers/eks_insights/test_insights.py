"""What insights say of a cluster."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.addons import ADDONS
from longshore.controllers.eks_insights import due
from longshore.controllers.eks_insights.checks import MOST_BEHIND, insights
from longshore.controllers.eks_insights.facts import Facts, Part, minor_of
from longshore.controllers.eks_insights.uses import DAY, counted, deprecated, requested
from longshore.model.eks import Cluster, Issue, Update
from longshore.model.eks_insights import (
    ROLLBACK,
    ROLLBACK_SECONDS,
    UPGRADE,
    ApiUse,
    InsightsReport,
    InsightsRequest,
    version_before,
)
from longshore.model.eks_parts import Addon

NOW = 2_000_000_000.0
CLUSTER = Cluster(
    name="web",
    arn="arn:aws:eks:us-east-1:111122223333:cluster/web",
    id="0" * 32,
    version="1.35",
    role_arn="arn:aws:iam::111122223333:role/eks",
    created_at=NOW,
    created_by="arn:aws:iam::111122223333:root",
    vpc_id="vpc-1",
    subnets=("subnet-1", "subnet-2"),
    service_cidr="10.100.0.0/16",
)
# As an API server of 1.35 writes them.
METRICS = """\
# HELP apiserver_requested_deprecated_apis Deprecated APIs that were requested
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="",removed_release="",resource="componentstatuses",\
subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="networking.k8s.io",removed_release="1.37",\
resource="ipaddresses",subresource="",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="resource.k8s.io",removed_release="1.36",\
resource="resourceclaims",subresource="status",version="v1beta1"} 1
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="networking.k8s.io",\
resource="ipaddresses",scope="cluster",subresource="",verb="LIST",version="v1beta1"} 17
apiserver_request_total{code="200",component="apiserver",dry_run="",group="networking.k8s.io",\
resource="ipaddresses",scope="resource",subresource="",verb="GET",version="v1beta1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="networking.k8s.io",\
resource="ipaddresses",scope="cluster",subresource="",verb="LIST",version="v1"} 99
apiserver_request_total_more{group="networking.k8s.io",resource="ipaddresses",version="v1beta1"} 5
"""
ADDRESSES = "/apis/networking.k8s.io/v1beta1/ipaddresses"
CLAIMS = "/apis/resource.k8s.io/v1beta1/resourceclaims/status"


def facts(**fields):
    return Facts(**{"cluster": CLUSTER, "runs": "1.35", **fields})


def found(told, name, category=UPGRADE):
    (one,) = [each for each in told if (each.name, each.category) == (name, category)]
    return one


def statuses(told):
    return {(each.name, each.category): each.status for each in told}


def addon(name, version):
    return Addon(
        cluster="web",
        name=name,
        arn=f"arn:aws:eks:us-east-1:111122223333:addon/web/{name}/1",
        id="1",
        version=version,
        created_at=NOW,
        modified_at=NOW,
    )


def test_nothing_stands_in_the_way_of_a_cluster_whose_parts_are_of_its_version():
    parts = (Part("/api/v1/nodes/a", "v1.35.4"),)
    coredns = ADDONS["coredns"].version_for("1.36").name
    told = insights(facts(nodes=parts, proxies=parts, addons=(addon("coredns", coredns),)), (), NOW)
    assert statuses(told) == {
        ("Cluster health issues", UPGRADE): "PASSING",
        ("Deprecated APIs removed in Kubernetes v1.36", UPGRADE): "PASSING",
        ("EKS add-on version compatibility", UPGRADE): "PASSING",
        ("Kubelet version skew", UPGRADE): "PASSING",
        ("kube-proxy version skew", UPGRADE): "PASSING",
    }
    assert {each.version for each in told} == {"1.36"}
    assert not any(each.resources for each in told)
    kubelets = found(told, "Kubelet version skew")
    assert kubelets.reason == "Node kubelet versions match the cluster control plane version."


def test_nodes_that_are_behind_are_named_and_those_too_far_behind_prevent_the_upgrade():
    nodes = (
        Part("/api/v1/nodes/new", "v1.35.4"),
        Part("/api/v1/nodes/old", "v1.33.1-eks-1"),
    )
    told = found(insights(facts(nodes=nodes), (), NOW), "Kubelet version skew")
    assert told.status == "WARNING"
    assert [each.uri for each in told.resources] == ["/api/v1/nodes/old"]
    ancient = (*nodes, Part("/api/v1/nodes/ancient", "v1.32.9"))
    told = found(insights(facts(nodes=ancient), (), NOW), "Kubelet version skew")
    assert told.status == "ERROR"
    assert {each.uri: each.status for each in told.resources} == {
        "/api/v1/nodes/old": "WARNING",
        "/api/v1/nodes/ancient": "ERROR",
    }


def test_a_version_that_cannot_be_read_is_unknown():
    told = insights(facts(proxies=(Part("/p", "latest"),)), (), NOW)
    assert found(told, "kube-proxy version skew").status == "UNKNOWN"


def test_health_issues_prevent_the_upgrade():
    issue = Issue("Ec2SubnetNotFound", "The subnet is gone.", ("subnet-1",))
    told = found(insights(facts(issues=(issue,)), (), NOW), "Cluster health issues")
    assert (told.status, told.reason) == ("ERROR", "Cluster health issues detected.")
    assert told.resources[0].reason == "Ec2SubnetNotFound: The subnet is gone."
    assert told.resources[0].arn == CLUSTER.arn


def test_an_add_on_that_does_not_fit_is_told_with_those_that_do(monkeypatch):
    old = ADDONS["coredns"].versions[0]
    older = msgspec.structs.replace(old, name="v1.9.0-eksbuild.1", kubernetes=("1.35",))
    more = msgspec.structs.replace(ADDONS["coredns"], versions=(old, older))
    monkeypatch.setitem(ADDONS, "coredns", more)
    had = (addon("coredns", older.name), addon("kube-proxy", "v1.35.4-eksbuild.1"))
    told = found(insights(facts(addons=had), (), NOW), "EKS add-on version compatibility")
    assert told.status == "ERROR"
    assert [(each.name, each.versions) for each in told.addons] == [("coredns", (old.name,))]
    assert [each.arn for each in told.resources] == [had[0].arn]
    gone = found(
        insights(facts(addons=(addon("coredns", "v0.1.0-eksbuild.1"),)), (), NOW),
        "EKS add-on version compatibility",
    )
    assert gone.status == "UNKNOWN"


def test_there_is_no_word_on_add_ons_for_a_version_that_does_not_exist():
    told = insights(facts(runs="1.36"), (), NOW)
    assert {each.version for each in told} == {"1.37"}
    assert "EKS add-on version compatibility" not in {each.name for each in told}


def test_a_cluster_that_may_go_back_is_told_what_prevents_it():
    nodes = (Part("/api/v1/nodes/a", "v1.36.3"), Part("/api/v1/nodes/b", "v1.35.4"))
    told = insights(facts(runs="1.36", nodes=nodes, before="1.35"), (), NOW)
    back = found(told, "Kubelet version skew", ROLLBACK)
    assert (back.status, back.version) == ("ERROR", "1.35")
    assert [each.uri for each in back.resources] == ["/api/v1/nodes/a"]
    assert found(told, "Kubelet version skew").status == "WARNING"
    assert found(told, "EKS add-on version compatibility", ROLLBACK).status == "PASSING"


def test_deprecated_apis_are_read_from_the_metrics_of_the_api_server():
    assert {use.usage: (use.removed, use.counted) for use in requested(METRICS).values()} == {
        ADDRESSES: ("1.37", 20),
        CLAIMS: ("1.36", 1),
    }
    assert requested("") == {}
    assert requested('apiserver_requested_deprecated_apis{group="a" nonsense') == {}


def test_an_api_that_goes_with_the_next_version_is_an_error_and_later_ones_a_warning():
    uses = counted((), requested(METRICS), NOW)
    told = insights(facts(uses=uses), (), NOW)
    following = found(told, "Deprecated APIs removed in Kubernetes v1.36")
    assert following.status == "ERROR"
    assert [each.usage for each in following.deprecations] == [CLAIMS]
    assert following.reason == (
        "Deprecated API usage detected within last 30 days and your cluster is on Kubernetes v1.35."
    )
    later = found(told, "Deprecated APIs removed in Kubernetes v1.37")
    assert (later.status, later.version) == ("WARNING", "1.37")
    (api,) = later.deprecations
    assert (api.usage, api.requests, api.last_request) == (ADDRESSES, 20, NOW)


def test_a_deprecated_api_is_forgotten_a_month_after_it_was_last_asked_for():
    seen = requested(METRICS)
    uses = counted((), seen, NOW)
    # The server's gauge says so for as long as it runs; its counter stands still.
    for day in range(1, 31):
        uses = counted(uses, seen, NOW + day * DAY)
        asked = {each.usage for each in deprecated(uses, NOW + day * DAY)}
        assert asked == ({ADDRESSES, CLAIMS} if day < 30 else set())
    again = {ADDRESSES: msgspec.structs.replace(seen[ADDRESSES], counted=22)}
    uses = counted(uses, again, NOW + 31 * DAY)
    (api,) = deprecated(uses, NOW + 31 * DAY)
    assert (api.usage, api.requests, api.last_request) == (ADDRESSES, 2, NOW + 31 * DAY)


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=30))
def test_requests_are_counted_once_whatever_api_servers_begin_anew(steps):
    uses, total, counter = (), 0, 0
    for number, (more, restarted) in enumerate(steps):
        counter = more if restarted and more < counter else counter + more
        total += more
        seen = {"/a": ApiUse(usage="/a", removed="1.40", counted=counter)} if counter else {}
        uses = counted(uses, seen, NOW + number)
    told = deprecated(uses, NOW + len(steps))
    assert sum(each.requests for each in told) == total


@given(
    runs=st.sampled_from(["1.35", "1.36"]),
    minors=st.lists(st.integers(20, 45), max_size=6),
    before=st.booleans(),
)
def test_what_an_insight_says_is_never_better_than_what_it_is_about(runs, minors, before):
    number = minor_of(runs)
    nodes = tuple(Part(f"/api/v1/nodes/{each}", f"v1.{each}.0") for each in minors)
    told = insights(facts(runs=runs, nodes=nodes, before="1.35" if before else ""), (), NOW)
    assert len({each.id for each in told}) == len(told)
    assert [each.id for each in told] == sorted(each.id for each in told)
    up = found(told, "Kubelet version skew")
    outside = [each for each in minors if not number + 1 - MOST_BEHIND <= each <= number + 1]
    assert (up.status == "ERROR") == bool(outside)
    if all(each == number for each in minors):
        assert up.status == "PASSING"
    for each in told:
        worst = {resource.status for resource in each.resources}
        assert each.status in (worst or {each.status})
        assert ("ERROR" in worst) <= (each.status == "ERROR")


def test_an_insight_keeps_its_id_and_the_time_since_when_it_stands_so():
    good = insights(facts(), (), NOW)
    later = insights(facts(), good, NOW + 60)
    assert [each.id for each in later] == [each.id for each in good]
    assert {each.transitioned_at for each in later} == {NOW}
    assert {each.refreshed_at for each in later} == {NOW + 60}
    bad = insights(facts(issues=(Issue("Other", "Trouble."),)), later, NOW + 120)
    assert found(bad, "Cluster health issues").transitioned_at == NOW + 120
    other = insights(facts(cluster=msgspec.structs.replace(CLUSTER, id="1" * 32)), (), NOW)
    assert not {each.id for each in other} & {each.id for each in good}


def test_insights_are_refreshed_daily_when_asked_and_after_a_change_of_version():
    report = InsightsReport(id="1", version="1.35", refreshed_at=NOW, answers=NOW, ended_at=NOW)
    assert due.wait(None, None, "1.35", NOW) == 0
    assert due.wait(report, None, "1.35", NOW + 60) == DAY - 60
    assert due.wait(report, None, "1.35", NOW + DAY) == 0
    assert due.wait(report, None, "1.36", NOW) == 0
    answered = InsightsRequest(id="1", asked_at=NOW)
    assert due.wait(report, answered, "1.35", NOW) == DAY
    asked = InsightsRequest(id="1", asked_at=NOW + 1)
    assert due.wait(report, asked, "1.35", NOW + 1) == 0
    assert not due.has_failed(report, asked, NOW + 1)
    assert due.has_failed(report, asked, NOW + 1 + due.PATIENCE_SECONDS)
    assert not due.has_failed(report, answered, NOW + DAY)


def update(kind, version, at, **fields):
    return Update(
        cluster="web",
        id=str(at),
        type=kind,
        params=(("Version", version),),
        created_at=at,
        **{"status": "Successful", **fields},
    )


@pytest.mark.parametrize(
    ("updates", "before"),
    [
        ([], ""),
        ([update("VersionUpdate", "1.36", NOW)], "1.35"),
        ([update("VersionUpdate", "1.36", NOW, status="Failed")], ""),
        ([update("VersionUpdate", "1.36", NOW, nodegroup="workers")], ""),
        ([update("VersionUpdate", "1.36", NOW - ROLLBACK_SECONDS)], ""),
        ([update("VersionUpdate", "1.35", NOW)], ""),
        ([update("VersionUpdate", "1.36", NOW - 9), update("VersionRollback", "1.35", NOW)], ""),
        ([update("LoggingUpdate", "1.36", NOW)], ""),
    ],
)
def test_a_cluster_goes_back_only_where_it_came_from_in_the_last_week(updates, before):
    assert version_before(updates, "1.36", NOW) == before
