"""EKS Pod Identity as boto3 sees it: associations, and the credentials that agents ask for."""

import json
import time
from typing import Any

import pytest
from integration.services.eks.eks_plane import REGION, Clusters
from integration.services.iam.iam_plane import ACCOUNT, Caller, allow, document

from longshore.testing.web_tokens import Signer

PODS = {"Service": "pods.eks.amazonaws.com"}
ISSUER = "https://oidc.eks.us-east-1.lvh.test/id/0123"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/shop"
NARROW = document(allow("eks:ListClusters"))


class PodIdentity:
    """The active cluster `web`, whose tokens `signer` signs, and the role `shop` for its pods."""

    def __init__(self, clusters: Clusters) -> None:
        self.clusters = clusters
        self.signer = Signer()

    async def create(self, **request: Any) -> Any:
        asked = {"clusterName": "web", "namespace": "shop", "serviceAccount": "till"}
        asked |= {"roleArn": ROLE, **request}
        return (await self.clusters.call("create_pod_identity_association", **asked))["association"]

    async def refused(self, **request: Any) -> tuple[str, str]:
        asked = {"clusterName": "web", "namespace": "shop", "serviceAccount": "till"}
        asked |= {"roleArn": ROLE, **request}
        return await self.clusters.error("create_pod_identity_association", **asked)

    async def ids(self, **request: Any) -> list[str]:
        answer = await self.clusters.call(
            "list_pod_identity_associations", clusterName="web", **request
        )
        return [each["associationId"] for each in answer["associations"]]

    def token(self, signer: Signer | None = None, **claims: Any) -> str:
        now = time.time()
        found = {
            "iss": ISSUER,
            "aud": ["pods.eks.amazonaws.com"],
            "exp": now + 3600,
            "iat": now,
            "nbf": now,
            "sub": "system:serviceaccount:shop:till",
            "kubernetes.io": {
                "namespace": "shop",
                "node": {"name": "ip-10-0-0-1.ec2.internal", "uid": "n"},
                "pod": {"name": "till-7d4b9c-x2v", "uid": "p-1"},
                "serviceaccount": {"name": "till", "uid": "s-1"},
                "warnafter": now + 3000,
            },
            **claims,
        }
        return (signer or self.signer).token(found)

    async def assume(self, token: str, by: Caller | None = None, cluster: str = "web") -> Any:
        caller = by or self.clusters.plane.admin
        return await caller.call(
            "assume_role_for_pod_identity", service="eks-auth", clusterName=cluster, token=token
        )

    async def refused_credentials(
        self, token: str, by: Caller | None = None, cluster: str = "web"
    ) -> tuple[str, int]:
        caller = by or self.clusters.plane.admin
        code, _, status = await caller.error(
            "assume_role_for_pod_identity", service="eks-auth", clusterName=cluster, token=token
        )
        return code, status

    async def session(self, token: str) -> Caller:
        """Whoever has the pod's credentials."""
        found = (await self.assume(token))["credentials"]
        keys = (found["accessKeyId"], found["secretAccessKey"], found["sessionToken"])
        return self.clusters.plane.caller(*keys)

    async def trust(self, *actions: str, **condition: Any) -> None:
        statement = {"Effect": "Allow", "Principal": PODS, "Action": list(actions), **condition}
        await self.clusters.plane.admin.call(
            "update_assume_role_policy", RoleName="shop", PolicyDocument=document(statement)
        )


@pytest.fixture
async def pods(clusters: Clusters) -> PodIdentity:
    await clusters.create("web", version="1.35")
    found = PodIdentity(clusters)
    await clusters.become("web", status="ACTIVE", issuer=ISSUER, token_key=found.signer.pem)
    await clusters.plane.role("shop", PODS)
    await found.trust("sts:AssumeRole", "sts:TagSession")
    return found


async def test_an_association_is_shown_as_it_was_made(pods: PodIdentity) -> None:
    made = await pods.create(tags={"team": "a"}, disableSessionTags=True)
    part_id = made["associationId"]
    assert part_id.startswith("a-")
    assert len(part_id) == len("a-kyevsbqhrnchy79jw")
    arn = f"arn:aws:eks:{REGION}:{ACCOUNT}:podidentityassociation/web/{part_id}"
    assert made["associationArn"] == arn
    assert (made["namespace"], made["serviceAccount"]) == ("shop", "till")
    assert (made["roleArn"], made["tags"], made["disableSessionTags"]) == (
        ROLE,
        {"team": "a"},
        True,
    )
    named = {"clusterName": "web", "associationId": part_id}
    described = await pods.clusters.call("describe_pod_identity_association", **named)
    assert described == {"association": made}
    tagged = {"resourceArn": arn, "tags": {"stage": "b"}}
    await pods.clusters.call("tag_resource", **tagged)
    found = await pods.clusters.call("list_tags_for_resource", resourceArn=arn)
    assert found == {"tags": {"team": "a", "stage": "b"}}


async def test_a_service_account_has_one_association(pods: PodIdentity) -> None:
    made = await pods.create(clientRequestToken="one")
    told = f"Association already exists: {made['associationId']}"
    assert await pods.refused() == ("ResourceInUseException", told)
    assert await pods.create(clientRequestToken="one") == made
    other = {"serviceAccount": "other", "clientRequestToken": "one"}
    assert (await pods.refused(**other))[0] == "InvalidParameterException"
    second = await pods.create(serviceAccount="other")
    both = sorted([made["associationId"], second["associationId"]])
    assert await pods.ids() == both
    assert await pods.ids(serviceAccount="other", namespace="shop") == [second["associationId"]]
    assert await pods.ids(namespace="default") == []
    assert await pods.ids(maxResults=1) == both[:1]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"namespace": "Shop"}, "InvalidParameterException"),
        ({"namespace": "a/b"}, "InvalidParameterException"),
        ({"serviceAccount": "a/b"}, "InvalidParameterException"),
        ({"serviceAccount": ""}, "InvalidParameterException"),
        ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/none"}, "InvalidParameterException"),
        ({"roleArn": "arn:aws:iam::999999999999:role/shop"}, "AccessDeniedException"),
        ({"clusterName": "none"}, "ResourceNotFoundException"),
        ({"targetRoleArn": ROLE}, "NotImplemented"),
        ({"policy": NARROW}, "InvalidParameterException"),
        ({"policy": "{}", "disableSessionTags": True}, "InvalidParameterException"),
        ({"policy": NARROW + " " * 2048, "disableSessionTags": True}, "InvalidParameterException"),
        ({"tags": {"aws:x": "y"}}, "InvalidParameterException"),
    ],
)
async def test_what_an_association_may_not_be_is_refused_and_nothing_is_made(
    pods: PodIdentity, request_: dict[str, Any], code: str
) -> None:
    assert (await pods.refused(**request_))[0] == code
    assert await pods.ids() == []


async def test_who_makes_one_must_be_allowed_to_pass_the_role(pods: PodIdentity) -> None:
    ann = await pods.clusters.plane.user("ann", allow("eks:*"))
    asked = {"clusterName": "web", "namespace": "shop", "serviceAccount": "till", "roleArn": ROLE}
    operation = "create_pod_identity_association"
    code, _ = await pods.clusters.error(operation, by=ann, **asked)
    assert code == "AccessDeniedException"
    passing = {"StringEquals": {"iam:PassedToService": "pods.eks.amazonaws.com"}}
    bob = await pods.clusters.plane.user(
        "bob", allow("eks:*"), allow("iam:PassRole", resource=ROLE, Condition=passing)
    )
    await pods.clusters.call(operation, by=bob, **asked)


async def test_policies_name_associations_by_arn_and_tags(pods: PodIdentity) -> None:
    made, other = await pods.create(tags={"team": "a"}), await pods.create(serviceAccount="b")
    tagged = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    ann = await pods.clusters.plane.user(
        "ann", allow("eks:DescribePodIdentityAssociation", Condition=tagged)
    )
    describe = "describe_pod_identity_association"
    for each, may in ((made, True), (other, False)):
        named = {"clusterName": "web", "associationId": each["associationId"]}
        assert await ann.may(describe, service="eks", **named) is may


async def test_an_association_gets_another_role_and_goes(pods: PodIdentity) -> None:
    part_id = (await pods.create())["associationId"]
    named = {"clusterName": "web", "associationId": part_id}
    other = (await pods.clusters.plane.role("other", PODS))["Arn"]
    changed = await pods.clusters.call("update_pod_identity_association", roleArn=other, **named)
    assert changed["association"]["roleArn"] == other
    update = {"targetRoleArn": ROLE, **named}
    code, _ = await pods.clusters.error("update_pod_identity_association", **update)
    assert code == "NotImplemented"
    gone = await pods.clusters.call("delete_pod_identity_association", **named)
    assert gone == changed
    for operation in ("describe", "delete", "update"):
        code, _ = await pods.clusters.error(f"{operation}_pod_identity_association", **named)
        assert code == "ResourceNotFoundException"


async def test_a_pod_has_its_associations_role_with_tags_that_name_it(pods: PodIdentity) -> None:
    made = await pods.create()
    token = pods.token()
    answer = await pods.assume(token)
    assert answer["subject"] == {"namespace": "shop", "serviceAccount": "till"}
    assert answer["audience"] == "pods.eks.amazonaws.com"
    assert answer["podIdentityAssociation"]["associationId"] == made["associationId"]
    arn = answer["assumedRoleUser"]["arn"]
    assert arn.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/shop/eks-web-till-7d4b9c-")
    session = await pods.session(token)
    who = await session.call("get_caller_identity", service="sts")
    assert who["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/shop/eks-web-")
    tagged = {"StringEquals": {"aws:ResourceTag/pod": "${aws:PrincipalTag/kubernetes-pod-name}"}}
    await pods.clusters.plane.admin.call(
        "put_role_policy",
        RoleName="shop",
        PolicyName="own",
        PolicyDocument=document(allow("eks:DescribeCluster", Condition=tagged)),
    )
    assert not await session.may("describe_cluster", service="eks", name="web")
    arn = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/web"
    mark = {"resourceArn": arn, "tags": {"pod": "till-7d4b9c-x2v"}}
    await pods.clusters.call("tag_resource", **mark)
    assert await session.may("describe_cluster", service="eks", name="web")


async def test_trust_policies_may_ask_for_the_cluster_and_the_pods_tags(pods: PodIdentity) -> None:
    await pods.create()
    refused = ("AccessDeniedException", 400)
    await pods.trust("sts:AssumeRole")
    assert await pods.refused_credentials(pods.token()) == refused
    both = ("sts:AssumeRole", "sts:TagSession")
    for namespace, may in (("shop", True), ("default", False)):
        wanted = {"StringEquals": {"aws:RequestTag/kubernetes-namespace": namespace}}
        await pods.trust(*both, Condition=wanted)
        if may:
            await pods.assume(pods.token())
        else:
            assert await pods.refused_credentials(pods.token()) == refused
    arn = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/web"
    await pods.trust(*both, Condition={"ArnEquals": {"aws:SourceArn": arn}})
    await pods.assume(pods.token())
    await pods.trust(*both, Condition={"ArnEquals": {"aws:SourceArn": f"{arn}-2"}})
    assert await pods.refused_credentials(pods.token()) == refused


async def test_without_session_tags_the_role_need_not_be_tagged(pods: PodIdentity) -> None:
    await pods.create(disableSessionTags=True)
    await pods.trust("sts:AssumeRole")
    await pods.assume(pods.token())


async def test_a_policy_narrows_what_the_pods_of_an_association_may(pods: PodIdentity) -> None:
    """And widens nothing; the association's next credentials are of its next policy."""
    wide = document(allow("eks:ListClusters"), allow("eks:DescribeCluster"))
    await pods.clusters.plane.admin.call(
        "put_role_policy", RoleName="shop", PolicyName="own", PolicyDocument=wide
    )
    more = document(allow("eks:ListClusters"), allow("eks:ListUpdates"))
    made = await pods.create(disableSessionTags=True, policy=more)
    assert made["policy"] == more
    session = await pods.session(pods.token())
    assert await session.may("list_clusters", service="eks")
    assert not await session.may("describe_cluster", service="eks", name="web")
    assert not await session.may("list_updates", service="eks", name="web")
    named = {"clusterName": "web", "associationId": made["associationId"]}
    update = "update_pod_identity_association"
    code, _ = await pods.clusters.error(update, disableSessionTags=False, **named)
    assert code == "InvalidParameterException"
    changed = (await pods.clusters.call(update, policy=wide, **named))["association"]
    assert (changed["policy"], changed["disableSessionTags"]) == (wide, True)
    other = await pods.session(pods.token())
    assert await other.may("describe_cluster", service="eks", name="web")
    assert not await session.may("describe_cluster", service="eks", name="web")
    bare = (await pods.clusters.call(update, policy="", **named))["association"]
    assert "policy" not in bare


async def test_only_the_clusters_own_tokens_for_eks_are_believed(pods: PodIdentity) -> None:
    await pods.create()
    invalid = ("InvalidTokenException", 400)
    kubernetes = {"kubernetes.io": {"namespace": "shop"}}
    for token in (
        "a.b.c",
        pods.token(Signer(1)),
        pods.token(aud=["sts.amazonaws.com"]),
        pods.token(iss="https://example.com"),
        pods.token(nbf=time.time() + 3600),
        pods.token(**kubernetes),
        pods.signer.confused(json.loads("{}")),
    ):
        assert await pods.refused_credentials(token) == invalid
    expired = await pods.refused_credentials(pods.token(exp=time.time() - 1))
    assert expired == ("ExpiredTokenException", 400)
    missing = ("ResourceNotFoundException", 404)
    assert await pods.refused_credentials(pods.token(), cluster="none") == missing
    other = {"namespace": "shop", "serviceaccount": {"name": "other", "uid": "s"}}
    assert await pods.refused_credentials(pods.token(**{"kubernetes.io": other})) == missing


async def test_an_agent_needs_the_right_that_node_roles_have(pods: PodIdentity) -> None:
    await pods.create()
    ann = await pods.clusters.plane.user("ann", allow("eks:*"))
    assert await pods.refused_credentials(pods.token(), ann) == ("AccessDeniedException", 400)
    await pods.clusters.plane.admin.call(
        "attach_user_policy",
        UserName="ann",
        PolicyArn="arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
    )
    await pods.assume(pods.token(), ann)
