"""What containers of pods are told about the role of their service account."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.authenticator.test_users import ACCOUNT, cluster

from longshore.authenticator.admission import Request, answer, patch_between
from longshore.authenticator.pod_credentials import PREFIX, mutate, seconds
from longshore.authenticator.pods import Asked, Pod
from longshore.model.eks_parts import PodIdentity

ROLE = f"arn:aws:iam::{ACCOUNT}:role/shop"
API = "http://169.254.170.100:4566"
IRSA_MOUNT = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
AGENT_MOUNT = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
COMMON = {
    "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": API,
}
IRSA = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{IRSA_MOUNT}/token"}


class Associations:
    """A reader that knows which service accounts have an association, as `namespace/name`."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def get(self, kind: Any, account: str, region: str, name: str) -> Any:
        assert kind.type is PodIdentity
        return object() if name.removeprefix("demo/") in self._names else None

    def scan(self, kind: Any, account: str, region: str, prefix: str = "") -> list[Any]:
        return []


def asked(associations: Any = (), **annotations: str) -> Asked:
    """`annotations` are the service account's; `_` stands for `-`."""
    return Asked(
        reader=Associations(*associations),  # type: ignore[arg-type]
        account=ACCOUNT,
        region="us-east-1",
        cluster=cluster(),
        namespace="default",
        annotations={PREFIX + key.replace("_", "-"): value for key, value in annotations.items()},
        api=API,
    )


WITH_ROLE = asked(role_arn=ROLE)


def pod(*containers: dict[str, Any], **metadata: Any) -> Pod:
    return {
        "metadata": metadata,
        "spec": {
            "serviceAccountName": "till",
            "volumes": [{"name": "kube-api-access"}],
            "containers": list(containers) or [{"name": "web"}],
        },
    }


def variables(container: Any) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container.get("env", ())}


def web(pod: Pod) -> Any:
    return pod["spec"]["containers"][0]


def token(pod: Pod) -> Any:
    (source,) = pod["spec"]["volumes"][-1]["projected"]["sources"]
    return source["serviceAccountToken"]


def test_an_annotated_service_accounts_pods_get_a_token_for_their_role() -> None:
    found = mutate(pod(), WITH_ROLE)
    assert variables(web(found)) == {**COMMON, **IRSA}
    mount = {"name": "aws-iam-token", "readOnly": True, "mountPath": IRSA_MOUNT}
    assert web(found)["volumeMounts"] == [mount]
    assert found["spec"]["volumes"][-1]["name"] == "aws-iam-token"
    wanted = {"audience": "sts.amazonaws.com", "expirationSeconds": 86_400, "path": "token"}
    assert token(found) == wanted


def test_an_association_is_asked_of_the_nodes_agent_and_wins_over_the_annotation() -> None:
    found = mutate(pod(), asked(["default/till"], role_arn=ROLE))
    assert variables(web(found)) == {
        **COMMON,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{AGENT_MOUNT}/eks-pod-identity-token",
    }
    assert token(found) == {
        "audience": "pods.eks.amazonaws.com",
        "expirationSeconds": 86_400,
        "path": "eks-pod-identity-token",
    }
    assert mutate(pod(), asked(["shop/till", "default/other"])) == pod()


@pytest.mark.parametrize(
    ("given_", "where"),
    [
        (pod(), asked()),
        (pod(labels={f"{PREFIX}skip-pod-identity-webhook": "true"}), WITH_ROLE),
        ({"spec": {"containers": [{"name": "web"}]}}, WITH_ROLE),
        ({}, WITH_ROLE),
    ],
)
def test_other_pods_stay_as_they_are(given_: Pod, where: Asked) -> None:
    assert mutate(given_, where) is given_


def test_init_containers_are_told_too_and_skipped_ones_nothing() -> None:
    given_ = pod(
        {"name": "web"}, {"name": "log"}, annotations={f"{PREFIX}skip-containers": "log, init"}
    )
    given_["spec"]["initContainers"] = [{"name": "init"}, {"name": "other"}]
    found = mutate(given_, WITH_ROLE)["spec"]
    told = [each["name"] for each in found["initContainers"] + found["containers"] if "env" in each]
    assert told == ["other", "web"]


def test_what_a_container_says_itself_stays() -> None:
    own = [
        {"name": "AWS_REGION", "value": "eu-west-1"},
        {"name": "AWS_ENDPOINT_URL", "value": "http://elsewhere"},
    ]
    found = variables(web(mutate(pod({"name": "web", "env": own}), WITH_ROLE)))
    assert found["AWS_REGION"] == "eu-west-1"
    assert found["AWS_ENDPOINT_URL"] == "http://elsewhere"
    assert found["AWS_DEFAULT_REGION"] == "us-east-1"
    role = [{"name": "AWS_ROLE_ARN", "value": "another"}]
    container = web(mutate(pod({"name": "web", "env": role}), WITH_ROLE))
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" not in variables(container)
    assert "volumeMounts" not in container


def test_annotations_change_the_token() -> None:
    found = mutate(
        pod(annotations={f"{PREFIX}token-expiration": "7200"}),
        asked(
            role_arn=ROLE, audience="shop", token_expiration="9000", sts_regional_endpoints="false"
        ),
    )
    assert token(found)["expirationSeconds"] == 7200
    assert token(found)["audience"] == "shop"
    assert "AWS_STS_REGIONAL_ENDPOINTS" not in variables(web(found))
    of_account = mutate(pod(), asked(role_arn=ROLE, token_expiration="9000"))
    assert token(of_account)["expirationSeconds"] == 9000


@given(st.none() | st.text() | st.integers().map(str))
def test_tokens_are_good_for_an_hour_to_a_day_whatever_is_asked_for(text: str | None) -> None:
    assert 3_600 <= seconds(text) <= 86_400


NAMES = st.sampled_from(["web", "log", "init", "AWS_REGION", "AWS_ROLE_ARN", "aws-iam-token"])
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES},
        optional={
            "env": st.lists(st.fixed_dictionaries({"name": NAMES, "value": st.text()})),
            "volumeMounts": st.lists(
                st.fixed_dictionaries({"name": NAMES, "mountPath": st.just(IRSA_MOUNT)})
            ),
        },
    ),
    min_size=1,
)


@given(CONTAINERS, st.booleans())
def test_nothing_is_taken_away_and_the_second_time_nothing_is_added(
    containers: list[dict[str, Any]], associated: bool
) -> None:
    where = asked(["default/till"] if associated else [], role_arn=ROLE)
    before = pod(*containers)
    after = mutate(before, where)
    assert mutate(after, where) == after
    for old, new in zip(before["spec"]["containers"], after["spec"]["containers"], strict=True):
        assert new["env"][: len(old.get("env", []))] == old.get("env", [])
        assert (
            old.get("volumeMounts", [])
            == (new.get("volumeMounts") or [])[: len(old.get("volumeMounts", []))]
        )
        paths = [each["mountPath"] for each in new.get("volumeMounts", ())]
        added = len(paths) - len(old.get("volumeMounts", ()))
        assert added in {0, 1}


def test_the_answer_has_a_patch_where_something_changes() -> None:
    asked_for = Request(uid="u", object=pod(), namespace="default")
    said = answer(asked_for, WITH_ROLE)
    assert said["kind"] == "AdmissionReview"
    assert said["response"]["uid"] == "u"
    assert said["response"]["allowed"]
    assert said["response"]["patchType"] == "JSONPatch"
    paths = [each["path"] for each in patch_between(pod(), mutate(pod(), WITH_ROLE))]
    assert paths == ["/spec/volumes", "/spec/containers"]
    assert answer(asked_for, asked())["response"] == {"uid": "u", "allowed": True}
