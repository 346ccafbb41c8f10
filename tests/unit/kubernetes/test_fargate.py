"""Which pods Fargate profiles mean, what Fargate refuses, and which sizes pods get."""

import fnmatch
import re
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.kubernetes.fargate import (
    KUBERNETES_MIB,
    Size,
    is_meant,
    profile_of,
    quantity,
    size_of,
    unsupported,
)
from longshore.model.eks_parts import FargateProfile, FargateSelector
from longshore.model.fargate import FARGATE_SIZES

AMOUNTS = st.tuples(st.integers(0, 20_000), st.integers(0, 130_000))


def container(cpu=None, memory=None, **fields):
    """CPU in thousandths, memory in MiB."""
    asked = {"cpu": cpu and f"{cpu}m", "memory": memory and f"{memory}Mi"}
    requests = {name: value for name, value in asked.items() if value}
    return {"resources": {"requests": requests}, **fields}


def pod(*containers, labels=None, metadata=None, **spec):
    return {
        "metadata": {"labels": labels or {}, **(metadata or {})},
        "spec": {"containers": list(containers), **spec},
    }


def profile(name, namespace, **labels):
    return FargateProfile(
        cluster="web",
        name=name,
        arn=f"arn:{name}",
        id=name,
        created_at=0.0,
        role_arn="",
        subnets=(),
        selectors=(FargateSelector(namespace, tuple(labels.items())),),
    )


@pytest.mark.parametrize(
    ("made", "size"),
    [
        (pod(container()), Size(256, 512)),
        (pod(container(250, 256)), Size(256, 512)),
        (pod(container(250, 257)), Size(256, 1024)),
        (pod(container(251, 256)), Size(512, 1024)),
        (pod(container(100, 3 * 1024)), Size(512, 4096)),
        (pod(container(1000, 8 * 1024)), Size(2048, 9 * 1024)),
        (pod(container(200), container(200)), Size(512, 1024)),
        (pod(container(100), initContainers=[container(900, 100)]), Size(1024, 2048)),
        (
            pod(container(200), initContainers=[container(200, restartPolicy="Always")]),
            Size(512, 1024),
        ),
        (pod(container(16_000, 121 * 1024)), None),
        (pod(container(17_000)), None),
    ],
)
def test_a_pod_gets_the_smallest_size_that_has_what_it_requests(made, size):
    assert size_of(made) == size


@given(st.lists(AMOUNTS, min_size=1, max_size=4), st.lists(AMOUNTS, max_size=3))
def test_no_smaller_size_would_do(running, inits):
    size = size_of(
        pod(*[container(*each) for each in running], initContainers=[container(*i) for i in inits])
    )
    cpu = max(sum(each[0] for each in running), *(each[0] for each in inits), 0)
    memory = max(sum(each[1] for each in running), *(each[1] for each in inits), 0)
    fitting = [
        (units, each)
        for units, sizes in FARGATE_SIZES.items()
        for each in sizes
        if units * 1000 >= cpu * 1024 and each >= memory + KUBERNETES_MIB
    ]
    assert size == (min(fitting) if fitting else None)


def test_what_was_provisioned_is_told_as_fargate_tells_it():
    assert Size(256, 512).told == "0.25vCPU 0.5GB"
    assert Size(1024, 2048).told == "1vCPU 2GB"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("250m", "0.25"), ("1.5", "1.5"), ("1Gi", str(2**30)), ("2k", "2000"), ("1e3", "1000")),
        *(("3E", str(3 * 10**18)), ("3Ei", str(3 * 2**60)), ("5E2", "500"), ("100n", "1e-7")),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(text, value):
    assert quantity(text) == Decimal(value)


@given(st.text(max_size=8))
def test_what_is_no_quantity_is_refused(text):
    try:
        assert quantity(text) >= 0
    except ValueError as refused:
        assert "quantity" in str(refused)


def test_the_profile_that_a_pod_names_goes_before_others():
    profiles = [profile("b", "apps"), profile("a", "apps"), profile("c", "other")]
    named = {"eks.amazonaws.com/fargate-profile": "b"}
    assert profile_of(pod(), "apps", profiles).name == "a"
    assert profile_of(pod(labels=named), "apps", profiles).name == "b"
    assert profile_of(pod(labels=named), "other", profiles) is None
    assert profile_of(pod(), "elsewhere", profiles) is None


@pytest.mark.parametrize(
    "other",
    [
        pod(metadata={"ownerReferences": [{"kind": "DaemonSet"}]}),
        pod(metadata={"annotations": {"eks.amazonaws.com/compute-type": "ec2"}}),
        pod(schedulerName="mine"),
        pod(nodeName="ip-10-0-0-1"),
    ],
)
def test_pods_with_another_place_are_not_fargates(other):
    assert profile_of(other, "apps", [profile("a", "apps")]) is None


def test_every_label_of_a_selector_has_to_be_there():
    selectors = [FargateSelector("app-*", (("tier", "web?"), ("team", "a")))]
    assert is_meant(selectors, "app-1", {"tier": "web1", "team": "a", "more": ""})
    assert not is_meant(selectors, "app-1", {"tier": "web1"})
    assert not is_meant(selectors, "app-1", {"tier": "web", "team": "a"})
    assert not is_meant(selectors, "apps", {"tier": "web1", "team": "a"})


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_wildcards_mean_what_shells_mean(pattern, text):
    expected = re.fullmatch(fnmatch.translate(pattern), text) is not None
    assert is_meant([FargateSelector(pattern)], text, {}) == expected


def test_no_selector_takes_long():
    started = time.monotonic()
    assert not is_meant([FargateSelector("*a" * 30 + "b")], "a" * 63, {})
    assert time.monotonic() < started + 1


def test_what_a_pod_may_not_have_is_told_in_fargates_words():
    bad = pod(
        {
            "ports": [{"containerPort": 80, "hostPort": 80}],
            "securityContext": {"privileged": True, "capabilities": {"add": ["NET_ADMIN"]}},
        },
        hostNetwork=True,
        volumes=[{"name": "root", "hostPath": {"path": "/"}}, {"name": "own", "emptyDir": {}}],
    )
    assert unsupported(bad) == (
        "Pod not supported on Fargate: fields not supported: HostNetwork, invalid SecurityContext"
        " fields: Privileged, Capabilities added: NET_ADMIN, port contains HostIP or HostPort,"
        " volumes not supported: root is of an unsupported volume Type"
    )
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "disk"}}
    assert "data not supported because: PVC disk not bound" in unsupported(pod(volumes=[claim]))


def test_what_pods_usually_have_is_supported():
    good = pod(
        {
            "ports": [{"containerPort": 80}],
            "securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}},
        },
        volumes=[
            {"name": "token", "projected": {}},
            {"name": "settings", "configMap": {"name": "x"}},
        ],
    )
    assert unsupported(good) == ""
