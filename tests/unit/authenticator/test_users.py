"""Which Kubernetes user an IAM principal is."""

import pytest
from unit.policy.policy_builder import ACCOUNT, ANN, FEDERATED, ROLE_ARN, ROOT, SESSION

from longshore.authenticator.tokens import Refused
from longshore.authenticator.users import canonical_arn, kubernetes_user
from longshore.model import eks
from longshore.model.principal import Principal


def cluster(mode: str = "API", bootstrap: bool = True, created_by: str = ANN.arn) -> eks.Cluster:
    return eks.Cluster(
        name="demo",
        arn=eks.cluster_arn("us-east-1", ACCOUNT, "demo"),
        id="0123456789ABCDEF0123456789ABCDEF",
        version="1.35",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/cluster",
        created_at=0.0,
        created_by=created_by,
        vpc_id="vpc-1",
        subnets=("subnet-1", "subnet-2"),
        service_cidr="10.100.0.0/16",
        authentication_mode=mode,
        bootstrap_admin=bootstrap,
    )


def entry(principal: Principal, username: str, *groups: str) -> eks.AccessEntry:
    return eks.AccessEntry(
        cluster="demo",
        principal_arn=canonical_arn(principal),
        principal_id=principal.user_id.partition(":")[0],
        arn="",
        username=username,
        groups=groups,
        created_at=0.0,
        modified_at=0.0,
    )


def reason(*arguments: object) -> str:
    with pytest.raises(Refused) as caught:
        kubernetes_user(*arguments)  # type: ignore[arg-type]
    return caught.value.reason


def test_a_user_has_the_name_and_groups_of_its_access_entry() -> None:
    user = kubernetes_user(cluster(), entry(ANN, "ann", "editors", "viewers"), ANN)
    assert (user.username, user.groups) == ("ann", ("editors", "viewers"))
    assert user.uid == f"aws-iam-authenticator:{ACCOUNT}:{ANN.user_id}"


def test_a_session_has_the_name_of_its_roles_entry_with_its_own_in_it() -> None:
    user = kubernetes_user(cluster(), entry(SESSION, f"{ROLE_ARN}/{{{{SessionName}}}}"), SESSION)
    assert user.username == f"{ROLE_ARN}/ci"
    assert user.uid == f"aws-iam-authenticator:{ACCOUNT}:AROADEPLOYDEPLOYDEPLO"
    assert user.extra["arn"] == (SESSION.arn,)
    assert user.extra["canonicalArn"] == (ROLE_ARN,)
    assert user.extra["principalId"] == ("AROADEPLOYDEPLOYDEPLO",)
    assert user.extra["sigs.k8s.io/aws-iam-authenticator/principalId"] == user.extra["principalId"]
    assert user.extra["sessionName"] == ("ci",)


def test_an_at_sign_in_a_sessions_name_becomes_a_dash_unless_the_raw_one_is_asked_for() -> None:
    session = Principal(
        account=ACCOUNT,
        arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ann@example.com",
        user_id="AROADEPLOYDEPLOYDEPLO:ann@example.com",
        kind="assumed-role",
        role_arn=ROLE_ARN,
        session_name="ann@example.com",
    )
    made = entry(session, "dev:{{SessionName}}:{{SessionNameRaw}}:{{Other}}")
    user = kubernetes_user(cluster(), made, session)
    assert user.username == "dev:ann-example.com:ann@example.com:{{Other}}"


def test_a_node_has_the_private_dns_name_of_its_instance() -> None:
    node = entry(SESSION, "system:node:{{EC2PrivateDNSName}}", "system:nodes")
    user = kubernetes_user(cluster(), node, SESSION, "ip-10-0-0-1.ec2.internal")
    assert (user.username, user.groups) == ("system:node:ip-10-0-0-1.ec2.internal", node.groups)


def test_nobody_has_an_instances_name_who_is_none() -> None:
    node = entry(SESSION, "system:node:{{EC2PrivateDNSName}}", "system:nodes")
    assert reason(cluster(), node, SESSION) == "the principal is no instance"


def test_an_access_entry_is_not_for_a_later_role_of_the_same_arn() -> None:
    earlier = Principal(
        account=ACCOUNT,
        arn=SESSION.arn,
        user_id="AROAEARLIEREARLIEREAR:ci",
        kind="assumed-role",
        role_arn=ROLE_ARN,
    )
    made = entry(earlier, "ci")
    assert reason(cluster(), made, SESSION) == "the access entry is of an earlier principal"


@pytest.mark.parametrize("mode", ["API", "API_AND_CONFIG_MAP"])
def test_who_has_no_access_entry_is_nobody_even_who_made_the_cluster(mode: str) -> None:
    assert reason(cluster(mode), None, ANN) == "the principal has no access entry"


@pytest.mark.parametrize("principal", [ROOT, FEDERATED])
def test_neither_root_nor_a_federated_user_is_let_in(principal: Principal) -> None:
    for mode in ("API", "CONFIG_MAP"):
        made = cluster(mode, created_by=principal.arn)
        assert reason(made, None, principal) == "only users and roles have access entries"


def test_who_made_a_cluster_without_access_entries_is_its_administrator() -> None:
    user = kubernetes_user(cluster("CONFIG_MAP"), None, ANN)
    assert (user.username, user.groups) == ("kubernetes-admin", ("system:masters",))
    assert user.extra["canonicalArn"] == (ANN.arn,)
    by_role = cluster("CONFIG_MAP", created_by=ROLE_ARN)
    assert kubernetes_user(by_role, None, SESSION).username == "kubernetes-admin"


def test_nobody_else_is_its_administrator_and_nobody_where_that_was_not_wanted() -> None:
    assert reason(cluster("CONFIG_MAP"), None, SESSION).endswith("not who made the cluster")
    unwanted = cluster("CONFIG_MAP", bootstrap=False)
    assert reason(unwanted, None, ANN).endswith("not who made the cluster")
