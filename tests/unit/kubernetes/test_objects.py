from hypothesis import given
from hypothesis import strategies as st

from longshore.kubernetes.objects import PODS, Said, path_of

POD = {"metadata": {"name": "web-1", "namespace": "shop", "uid": "u-1"}}
SAID = Said("Pod", "fargate-scheduler", "FailedScheduling", "no room", warning=True)


def test_an_object_is_in_its_namespace():
    assert path_of(PODS, POD) == "/api/v1/namespaces/shop/pods/web-1"
    slices = "/apis/discovery.k8s.io/v1/endpointslices"
    assert path_of(slices, POD) == (
        "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/web-1"
    )


def test_what_is_said_twice_of_a_pod_is_one_event():
    first, second = SAID.document(POD, 1.0), SAID.document(POD, 2.0)
    assert first["metadata"] == second["metadata"]
    assert (first["type"], first["reason"], first["message"]) == (
        "Warning",
        "FailedScheduling",
        "no room",
    )
    again = {"metadata": {**POD["metadata"], "uid": "u-2"}}
    assert SAID.document(again, 1.0)["metadata"] != first["metadata"]


def test_what_is_said_anew_is_another_event_each_time():
    anew = Said("Service", "service-controller", "Ensured", "done", anew=True)
    assert anew.document(POD, 1.0)["metadata"] == {"generateName": "web-1.", "namespace": "shop"}


@given(st.integers(1, 253))
def test_an_event_has_a_name_that_an_object_may_have(length):
    pod = {"metadata": {**POD["metadata"], "name": "a" * length}}
    name = SAID.document(pod, 1.0)["metadata"]["name"]
    assert name.startswith("a")
    assert len(name) <= 253
