"""The cluster as programs have it: by Kubernetes' Python client, with the user's kubeconfig."""

import contextlib
import gc
import json

import pytest
from end_to_end.farm import RUNNING_SECONDS, deployment
from kubernetes import client, config
from kubernetes.stream import stream
from kubernetes.watch import Watch

NAME, NAMESPACE = "pythonic", "default"
CHOSEN = {"namespace": NAMESPACE, "label_selector": f"app={NAME}"}
SAYS = {"command": ["/bin/sh", "-c", "echo said; exec sleep 1000"]}
COMMAND = ["/bin/sh", "-c", "echo there; echo wrong >&2; exit 3"]

# The client leaves connections of watches and WebSockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")


@pytest.fixture
def api(farm, monkeypatch):
    """What the client makes of the file that `aws eks update-kubeconfig` has written: each token
    comes of `aws eks get-token`, as the file says."""
    for name, value in farm.env.items():
        monkeypatch.setenv(name, value)
    with config.new_client_from_config(config_file=str(farm.config)) as made:
        yield made
    del made
    gc.collect()


def watched(core, **options):
    """(type, pod) of the deployment's pods, as the API server tells of them."""
    options = {**CHOSEN, "timeout_seconds": RUNNING_SECONDS, **options}
    for event in Watch().stream(core.list_namespaced_pod, **options):
        yield event["type"], event["object"]


def ready(core):
    """The deployment's pods that are ready, as soon as they are."""
    for kind, pod in watched(core):
        conditions = {each.type: each.status for each in pod.status.conditions or ()}
        if kind != "DELETED" and conditions.get("Ready") == "True":
            yield pod


def test_a_deployment_is_made_watched_changed_and_deleted_by_the_python_client(farm, api):
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    wanted = deployment(NAME, farm.image, 1, container=SAYS)
    assert apps.create_namespaced_deployment(NAMESPACE, wanted).spec.replicas == 1
    with contextlib.closing(ready(core)) as pods:
        first = next(pods).metadata.name
    # Followed: a container is ready before it has said anything.
    log = Watch().stream(core.read_namespaced_pod_log, first, NAMESPACE)
    with contextlib.closing(log):
        assert next(log) == "said"
    assert outputs(core, first) == ("there\n", "wrong\n", 3)

    apps.patch_namespaced_deployment(NAME, NAMESPACE, {"spec": {"replicas": 2}})
    with contextlib.closing(ready(core)) as pods:
        second = next(pod.metadata.name for pod in pods if pod.metadata.name != first)

    seen = core.list_namespaced_pod(**CHOSEN).metadata.resource_version
    apps.delete_namespaced_deployment(NAME, NAMESPACE)
    left = {first, second}
    for kind, pod in watched(core, resource_version=seen):
        left -= {pod.metadata.name} if kind == "DELETED" else set()
        if not left:
            break
    assert not left
    with pytest.raises(client.ApiException) as refused:
        apps.read_namespaced_deployment(NAME, NAMESPACE)
    assert (refused.value.status, json.loads(refused.value.body)["reason"]) == (404, "NotFound")


def outputs(core, pod):
    """What a command prints run in the pod over a WebSocket prints, and its exit code."""
    session = stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        NAMESPACE,
        command=COMMAND,
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    with contextlib.closing(session):
        session.run_forever(timeout=RUNNING_SECONDS)
        return session.read_stdout(), session.read_stderr(), session.returncode


def test_a_change_of_what_another_client_has_changed_is_refused(api):
    core = client.CoreV1Api(api)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=NAME), data={"from": "first"})
    seen = core.create_namespaced_config_map(NAMESPACE, body)
    seen.data = {"from": "second"}
    core.replace_namespaced_config_map(NAME, NAMESPACE, seen)
    with pytest.raises(client.ApiException) as refused:
        core.replace_namespaced_config_map(NAME, NAMESPACE, seen)
    assert refused.value.status == 409
    assert core.read_namespaced_config_map(NAME, NAMESPACE).data == {"from": "second"}
    core.delete_namespaced_config_map(NAME, NAMESPACE)
