"""Clusters of EKS as boto3 sees them."""

import base64
from pathlib import Path
from typing import Any

import pytest
from integration.services.eks.eks_plane import EKS, Clusters, running
from integration.services.iam.iam_plane import ACCOUNT, allow, deny

from longshore.model import eks
from longshore.model.iam import ROLE

CLUSTER_ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


async def test_a_cluster_is_shown_as_it_was_asked_for_with_eks_defaults(clusters: Clusters):
    group = (
        await clusters.ec2(
            "create_security_group", VpcId=clusters.vpc, GroupName="web", Description="web"
        )
    )["GroupId"]
    network = {"securityGroupIds": [group], "publicAccessCidrs": ["203.0.113.7/24"]}
    made = await clusters.create("web", network=network, tags={"stage": "test"})
    assert made["arn"] == f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/web"
    assert (made["status"], made["version"], made["certificateAuthority"]) == (
        "CREATING",
        "1.36",
        {},
    )
    assert made["resourcesVpcConfig"] == {
        "subnetIds": list(clusters.subnets),
        "securityGroupIds": [group],
        "vpcId": clusters.vpc,
        "endpointPublicAccess": True,
        "endpointPrivateAccess": False,
        "publicAccessCidrs": ["203.0.113.0/24"],
        "controlPlaneEgressMode": "AWS_MANAGED",
    }
    assert made["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "10.100.0.0/16"
    assert made["accessConfig"] == {
        "bootstrapClusterCreatorAdminPermissions": True,
        "authenticationMode": "CONFIG_MAP",
    }
    assert made["upgradePolicy"] == {"supportType": "EXTENDED"}
    assert made["deletionProtection"] is False
    assert made["tags"] == {"stage": "test"}
    assert made.pop("clientRequestToken")
    assert await clusters.describe("web") == made


async def test_endpoint_may_be_private_beside_the_public_one_or_alone(clusters: Clusters):
    for name, network in (
        ("both", {"endpointPrivateAccess": True}),
        ("alone", {"endpointPrivateAccess": True, "endpointPublicAccess": False}),
    ):
        made = await clusters.create(name, network=network)
        shown = made["resourcesVpcConfig"]
        assert shown["endpointPrivateAccess"] is True
        assert shown["endpointPublicAccess"] is (name == "both")
        assert shown["publicAccessCidrs"] == ["0.0.0.0/0"]


async def test_config_map_alone_wants_an_administrator_from_the_start(clusters: Clusters):
    access = {"bootstrapClusterCreatorAdminPermissions": False}
    for mode in ({}, {"authenticationMode": "CONFIG_MAP"}):
        code, message = await clusters.refused("web", accessConfig={**access, **mode})
        assert code == "InvalidParameterException"
        assert "bootstrapClusterCreatorAdminPermissions must be true" in message


async def test_a_description_shows_what_became_of_the_cluster(clusters: Clusters):
    await clusters.create("web")
    issue = eks.Issue("InternalFailure", "It failed.", ("arn:a",))
    await clusters.become(
        "web",
        status="ACTIVE",
        endpoint="https://ABC.gr7.us-east-1.eks.amazonaws.com",
        authority="-----BEGIN CERTIFICATE-----",
        issuer="https://oidc.eks.us-east-1.amazonaws.com/id/ABC",
        platform_version="eks.1",
        security_group="sg-1",
        issues=(issue,),
    )
    found = await clusters.describe("web")
    assert (found["status"], found["platformVersion"]) == ("ACTIVE", "eks.1")
    assert found["endpoint"] == "https://ABC.gr7.us-east-1.eks.amazonaws.com"
    authority = base64.b64decode(found["certificateAuthority"]["data"])
    assert authority == b"-----BEGIN CERTIFICATE-----"
    issuer = "https://oidc.eks.us-east-1.amazonaws.com/id/ABC"
    assert found["identity"] == {"oidc": {"issuer": issuer}}
    assert found["resourcesVpcConfig"]["clusterSecurityGroupId"] == "sg-1"
    told = {"code": "InternalFailure", "message": "It failed.", "resourceIds": ["arn:a"]}
    assert found["health"] == {"issues": [told]}


async def test_the_status_of_an_earlier_cluster_of_the_name_is_not_shown(clusters: Clusters):
    await clusters.create("web")
    await clusters.become("web", id="0" * 32, status="ACTIVE", endpoint="https://old")
    found = await clusters.describe("web")
    assert found["status"] == "CREATING"
    assert "endpoint" not in found


async def test_a_cluster_that_is_not_there_is_not_found(clusters: Clusters):
    missing = ("ResourceNotFoundException", "No cluster found for name: web.")
    assert await clusters.error("describe_cluster", name="web") == missing
    assert await clusters.error("delete_cluster", name="web") == missing


async def test_clusters_are_listed_in_pages(clusters: Clusters):
    for name in ("c", "a", "b"):
        await clusters.create(name)
    first = await clusters.call("list_clusters", maxResults=2)
    assert first["clusters"] == ["a", "b"]
    last = await clusters.call("list_clusters", nextToken=first["nextToken"])
    assert last == {"clusters": ["c"]}
    code, message = await clusters.error("list_clusters", nextToken="\u2603")
    assert (code, message) == (
        "InvalidParameterException",
        "The specified nextToken is invalid.",
    )


async def test_a_name_is_taken_until_its_cluster_is_gone(clusters: Clusters):
    await clusters.create("web")
    taken = ("ResourceInUseException", "Cluster already exists with name: web")
    assert await clusters.refused("web") == taken
    deleted = (await clusters.call("delete_cluster", name="web"))["cluster"]
    assert deleted["status"] == "DELETING"
    assert (await clusters.describe("web"))["status"] == "DELETING"
    assert await clusters.refused("web") == taken
    assert await clusters.error("delete_cluster", name="web") == (
        "ResourceInUseException",
        "Cluster web is already being deleted",
    )


async def test_errors_have_the_http_statuses_of_eks(clusters: Clusters):
    await clusters.create("web")
    admin = clusters.plane.admin
    for operation, request, status in (
        ("create_cluster", clusters.request("web"), 409),
        ("describe_cluster", {"name": "none"}, 404),
        ("list_access_entries", {"clusterName": "web"}, 400),
        ("create_cluster", clusters.request("a", version="1.1"), 400),
    ):
        assert (await admin.error(operation, service="eks", **request))[2] == status
    nobody = await clusters.plane.user("nobody")
    assert (await nobody.error("list_clusters", service="eks"))[2] == 403


async def test_an_active_cluster_with_deletion_protection_is_not_deleted(clusters: Clusters):
    await clusters.create("web", deletionProtection=True)
    await clusters.become("web", status="ACTIVE")
    assert await clusters.error("delete_cluster", name="web") == (
        "InvalidRequestException",
        "Cluster web cannot be deleted because deletion protection is enabled",
    )
    await clusters.become("web", status="FAILED")
    assert (await clusters.call("delete_cluster", name="web"))["cluster"]["status"] == "DELETING"


async def test_the_same_call_again_answers_the_same_and_another_one_is_refused(clusters: Clusters):
    made = await clusters.create("web", clientRequestToken="one")
    assert made["clientRequestToken"] == "one"
    # What the cluster was made of may be gone or full by then.
    await clusters.plane.admin.call("delete_role", RoleName="eks")
    assert await clusters.create("web", clientRequestToken="one") == made
    used = "The clientRequestToken was used before with different parameters"
    refused = await clusters.refused("web", clientRequestToken="one", deletionProtection=True)
    assert refused == ("InvalidParameterException", used)
    refused = await clusters.refused("other", clientRequestToken="one")
    assert refused == ("InvalidParameterException", used)
    assert (await clusters.call("list_clusters"))["clusters"] == ["web"]


@pytest.mark.parametrize("name", ["-web", "a b", "web.1", "ä", "x" * 101, "web\n"])
async def test_names_of_the_wrong_shape_are_refused(clusters: Clusters, name: str):
    code, message = await clusters.refused(name)
    assert code == "InvalidParameterException"
    assert "at 'name' failed to satisfy constraint" in message


async def test_a_region_has_a_hundred_clusters_at_most(clusters: Clusters):
    await clusters.create("web")
    await clusters.copy_cluster("web", 99)
    code, message = await clusters.refused("more")
    assert (code, message) == (
        "ResourceLimitExceededException",
        "The limit of 100 clusters in a region is reached",
    )


async def test_the_role_must_be_there_and_trust_eks(clusters: Clusters):
    other = (await clusters.plane.role("other", {"Service": "ec2.amazonaws.com"}))["Arn"]
    absent = f"arn:aws:iam::{ACCOUNT}:role/absent"
    moved = f"arn:aws:iam::{ACCOUNT}:role/moved/eks"
    for arn in (other, absent, moved, "eks"):
        assert await clusters.refused(roleArn=arn) == (
            "InvalidParameterException",
            f"Role with arn: {arn}, could not be assumed because it does not exist or the trusted"
            " entity is not correct",
        )
    foreign = "arn:aws:iam::222222222222:role/eks"
    assert await clusters.refused(roleArn=foreign) == (
        "AccessDeniedException",
        "Cross-account pass role is not allowed.",
    )


async def test_subnets_must_be_in_two_zones_of_one_vpc_and_have_addresses(clusters: Clusters):
    async def refused(*subnets: str) -> str:
        code, message = await clusters.refused(network={"subnetIds": list(subnets)})
        assert code == "InvalidParameterException"
        return message

    one, two, _ = clusters.subnets
    zones = "Subnets specified must be in at least two different AZs"
    assert await refused() == zones
    assert await refused(one, one) == zones
    assert (await refused(one, "subnet-0")).startswith(
        "The subnet ID 'subnet-0' does not exist (Service: AmazonEC2; Status Code: 400; Error Code:"
        " InvalidSubnetID.NotFound; Request ID: "
    )
    elsewhere = await clusters.network("10.0.0.0/16")
    assert await refused(one, elsewhere[1]) == "Subnets specified must all be in the same VPC"
    small = await clusters.subnet(clusters.vpc, "172.31.100.0/28", "us-east-1b")
    assert (await clusters.create("roomy", network={"subnetIds": [one, small]}))["status"]
    for _ in range(7):
        await clusters.ec2("create_network_interface", SubnetId=small)
    message = f"Subnets must have at least 5 free IP addresses: {small}"
    assert await refused(two, one, small) == message


async def test_security_groups_must_be_of_the_vpc_and_five_at_most(clusters: Clusters):
    async def refused(*groups: str) -> str:
        code, message = await clusters.refused(network={"securityGroupIds": list(groups)})
        assert code == "InvalidParameterException"
        return message

    assert (await refused("sg-0")).startswith("The security group 'sg-0' does not exist (Service:")
    await clusters.network("10.0.0.0/16")
    groups = (await clusters.ec2("describe_security_groups"))["SecurityGroups"]
    (foreign,) = (each["GroupId"] for each in groups if each["VpcId"] != clusters.vpc)
    message = "Security group(s) are not in/associated to the same VPC as the subnets."
    assert await refused(foreign) == message
    many = [f"sg-{number}" for number in range(6)]
    assert await refused(*many) == "A cluster can have at most 5 security groups, not 6"


async def test_versions_are_those_that_describe_cluster_versions_tells(clusters: Clusters):
    found = (await clusters.call("describe_cluster_versions"))["clusterVersions"]
    told = [
        (each["clusterVersion"], each["defaultVersion"], each["kubernetesPatchVersion"])
        for each in found
    ]
    assert told == [("1.36", True, "1.36.3"), ("1.35", False, "1.35.4")]
    assert {each["versionStatus"] for each in found} == {"STANDARD_SUPPORT"}
    assert (await clusters.create("old", version="1.35"))["version"] == "1.35"
    for version in ("1.29", "1.36.3"):
        assert await clusters.refused(version=version) == (
            "InvalidParameterException",
            f"unsupported Kubernetes version {version}",
        )


@pytest.mark.parametrize(
    ("request_", "versions"),
    [
        ({"defaultOnly": True}, ["1.36"]),
        ({"clusterVersions": ["1.35", "1.2"]}, ["1.35"]),
        ({"versionStatus": "EXTENDED_SUPPORT"}, []),
        ({"status": "standard-support"}, ["1.36", "1.35"]),
        ({"clusterType": "eks-local-outposts"}, []),
        ({"maxResults": 1}, ["1.36"]),
    ],
)
async def test_cluster_versions_are_chosen_from(
    clusters: Clusters, request_: dict[str, Any], versions: list[str]
):
    found = await clusters.call("describe_cluster_versions", **request_)
    assert [each["clusterVersion"] for each in found["clusterVersions"]] == versions
    if "nextToken" in found:
        rest = await clusters.call("describe_cluster_versions", nextToken=found["nextToken"])
        assert [each["clusterVersion"] for each in rest["clusterVersions"]] == ["1.35"]


@pytest.mark.parametrize(
    ("cidrs", "services"),
    [
        (("192.168.0.0/16",), "10.100.0.0/16"),
        (("10.0.0.0/16",), "172.20.0.0/16"),
        (("10.0.0.0/16", "172.20.0.0/16"), "10.100.0.0/16"),
    ],
)
async def test_services_have_addresses_that_the_vpc_has_not(
    clusters: Clusters, cidrs: tuple[str, ...], services: str
):
    subnets = await clusters.network(*cidrs)
    made = await clusters.create("web", network={"subnetIds": list(subnets)})
    assert made["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == services


@pytest.mark.parametrize(
    ("cidr", "message"),
    [
        ("172.31.8.0/22", "serviceIpv4Cidr 172.31.8.0/22 must not overlap with a CIDR of the VPC"),
        ("10.0.0.0/25", "serviceIpv4Cidr 10.0.0.0/25 must be between /24 and /12"),
        ("10.0.0.0/11", "serviceIpv4Cidr 10.0.0.0/11 must be between /24 and /12"),
        (
            "100.64.0.0/16",
            "serviceIpv4Cidr 100.64.0.0/16 must be within 10.0.0.0/8, 172.16.0.0/12 or"
            " 192.168.0.0/16",
        ),
        ("10.0.0.0", "serviceIpv4Cidr has an invalid CIDR: 10.0.0.0"),
    ],
)
async def test_a_service_cidr_that_eks_would_not_take_is_refused(
    clusters: Clusters, cidr: str, message: str
):
    refused = await clusters.refused(kubernetesNetworkConfig={"serviceIpv4Cidr": cidr})
    assert refused == ("InvalidParameterException", message)
    made = await clusters.create("web", kubernetesNetworkConfig={"serviceIpv4Cidr": "10.9.0.0/20"})
    assert made["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "10.9.0.0/20"


async def test_public_access_is_from_forty_cidrs_at_most(clusters: Clusters):
    async def refused(**network: Any) -> str:
        code, message = await clusters.refused(network=network)
        assert code == "InvalidParameterException"
        return message

    for cidr in ("0.0.0.0", "10.0.0.0/33", "::/0", "all/0"):
        message = f"publicAccessCidrs has an invalid CIDR: {cidr}"
        assert await refused(publicAccessCidrs=[cidr]) == message
    many = [f"203.0.113.{number}/32" for number in range(41)]
    assert await refused(publicAccessCidrs=many) == (
        "publicAccessCidrs can have at most 40 CIDRs, not 41"
    )
    assert await refused(endpointPublicAccess=False) == (
        "Private and public endpoint access cannot be false"
    )


NOT_BUILT = {
    "control planes whose egress the customer routes": {
        "network": {"controlPlaneEgressMode": "CUSTOMER_ROUTED"}
    },
    "clusters on Outposts": {
        "outpostConfig": {"outpostArns": ["arn:o"], "controlPlaneInstanceType": "m5.large"}
    },
    "hybrid nodes": {"remoteNetworkConfig": {"remoteNodeNetworks": [{"cidrs": ["10.0.0.0/8"]}]}},
    "EKS Auto Mode's compute": {"computeConfig": {"enabled": True}},
    "EKS Auto Mode's block storage": {"storageConfig": {"blockStorage": {"enabled": True}}},
    "EKS Auto Mode's load balancing": {
        "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": True}}
    },
    "zonal shifts of clusters": {"zonalShiftConfig": {"enabled": True}},
    "clusters with IPv6 addresses": {"kubernetesNetworkConfig": {"ipFamily": "ipv6"}},
    "provisioned control planes": {"controlPlaneScalingConfig": {"tier": "tier-xl"}},
    "options of clusters' API servers": {"kubeApiServerConfig": {"eventTtl": "1h"}},
    "options of clusters' schedulers": {
        "kubeSchedulerConfig": {"nodeResourcesFit": {"scoringStrategy": {"type": "LeastAllocated"}}}
    },
    "options of clusters' controller managers": {
        "kubeControllerManagerConfig": {"podGcControllerConfig": {"terminatedPodGcThreshold": 5}}
    },
}


@pytest.mark.parametrize("what", NOT_BUILT)
async def test_what_is_not_built_says_so(clusters: Clusters, what: str):
    assert await clusters.refused(**NOT_BUILT[what]) == (
        "NotImplemented",
        f"Longshore does not implement {what} yet.",
    )


async def test_what_is_not_built_may_be_turned_off(clusters: Clusters):
    made = await clusters.create(
        "web",
        computeConfig={"enabled": False},
        storageConfig={"blockStorage": {"enabled": False}},
        kubernetesNetworkConfig={"ipFamily": "ipv4", "elasticLoadBalancing": {"enabled": False}},
        zonalShiftConfig={"enabled": False},
        logging={"clusterLogging": [{"types": ["api"], "enabled": False}]},
        controlPlaneScalingConfig={"tier": "standard"},
        bootstrapSelfManagedAddons=False,
        upgradePolicy={"supportType": "STANDARD"},
        network={"endpointPrivateAccess": False, "controlPlaneEgressMode": "AWS_MANAGED"},
    )
    assert made["upgradePolicy"] == {"supportType": "STANDARD"}


async def test_simulated_containers_are_no_control_plane(tmp_path: Path):
    async with running(tmp_path, runtime="simulated") as clusters:
        assert await clusters.refused() == (
            "NotImplemented",
            "Longshore does not implement EKS with simulated containers yet.",
        )


async def test_the_rest_of_eks_answers_that_it_is_not_built(clusters: Clusters):
    code, _ = await clusters.error("list_eks_anywhere_subscriptions")
    assert code == "NotImplemented"


async def test_who_makes_a_cluster_is_its_administrator(clusters: Clusters):
    maker = await clusters.plane.user("maker", allow("eks:*", "iam:PassRole"))
    access = {"authenticationMode": "API_AND_CONFIG_MAP"}
    await clusters.call("create_cluster", by=maker, **clusters.request("web", accessConfig=access))
    arn = f"arn:aws:iam::{ACCOUNT}:user/maker"
    named = {"clusterName": "web", "principalArn": arn}
    assert (await clusters.call("list_access_entries", clusterName="web"))["accessEntries"] == [arn]
    entry = (await clusters.call("describe_access_entry", **named))["accessEntry"]
    assert (entry["type"], entry["username"], entry["kubernetesGroups"]) == ("STANDARD", arn, [])
    (policy,) = (await clusters.call("list_associated_access_policies", **named))[
        "associatedAccessPolicies"
    ]
    assert policy["policyArn"] == CLUSTER_ADMIN
    assert policy["accessScope"] == {"type": "cluster", "namespaces": []}


async def test_a_cluster_that_a_role_makes_is_the_roles_and_not_its_sessions(clusters: Clusters):
    arn = (await clusters.plane.role("makers", Path="/team/"))["Arn"]
    policy = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
    await clusters.plane.admin.call(
        "put_role_policy", RoleName="makers", PolicyName="own", PolicyDocument=policy
    )
    session = (
        await clusters.plane.admin.call(
            "assume_role", service="sts", RoleArn=arn, RoleSessionName="joe"
        )
    )["Credentials"]
    maker = clusters.plane.caller(
        session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
    )
    access = {"authenticationMode": "API"}
    await clusters.call("create_cluster", by=maker, **clusters.request("web", accessConfig=access))
    named = {"clusterName": "web", "principalArn": arn}
    entry = (await clusters.call("describe_access_entry", **named))["accessEntry"]
    assert entry["username"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/makers/{{{{SessionName}}}}"
    start = f"arn:aws:eks:us-east-1:{ACCOUNT}:access-entry/web/role/{ACCOUNT}/makers/"
    assert entry["accessEntryArn"].startswith(start)
    cluster = clusters.plane.store.reader.get(eks.CLUSTER, ACCOUNT, "us-east-1", "web")
    role = clusters.plane.store.reader.get(ROLE, ACCOUNT, "", "makers")
    name = eks.entry_name("web", arn)
    kept = clusters.plane.store.reader.get(eks.ACCESS_ENTRY, ACCOUNT, "us-east-1", name)
    assert cluster and role and kept
    assert cluster.value.created_by == arn
    assert kept.value.principal_id == role.value.id


async def test_no_access_entry_is_made_where_none_is_wanted(clusters: Clusters):
    await clusters.create_api("web")
    assert (await clusters.call("list_access_entries", clusterName="web"))["accessEntries"] == []


async def test_tags_of_clusters_are_changed_and_listed(clusters: Clusters):
    arn = (await clusters.create("web", tags={"a": "1"}))["arn"]
    await clusters.call("tag_resource", resourceArn=arn, tags={"a": "2", "b": "3"})
    await clusters.call("untag_resource", resourceArn=arn, tagKeys=["a", "absent"])
    assert await clusters.call("list_tags_for_resource", resourceArn=arn) == {"tags": {"b": "3"}}
    assert (await clusters.describe("web"))["tags"] == {"b": "3"}
    many = {f"k{number}": "" for number in range(50)}
    assert await clusters.error("tag_resource", resourceArn=arn, tags=many) == (
        "BadRequestException",
        "A resource can have at most 50 tags, not 51",
    )
    code, message = await clusters.refused("other", tags={"aws:x": "1"})
    assert (code, message) == (
        "InvalidParameterException",
        "Tag keys must not begin with aws:",
    )
    for absent in (f"{arn}-2", "nothing", arn.replace("us-east-1", "eu-west-1")):
        code, message = await clusters.error("list_tags_for_resource", resourceArn=absent)
        assert (code, message) == ("NotFoundException", f"No resource found for ARN: {absent}")


async def test_a_policy_for_one_cluster_lets_nobody_at_another(clusters: Clusters):
    for name in ("mine", "theirs"):
        await clusters.create(name)
    mine = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/mine"
    user = await clusters.plane.user("user", allow("eks:*", resource=mine))
    assert (await clusters.call("describe_cluster", by=user, name="mine"))["cluster"]
    for operation in ("describe_cluster", "delete_cluster"):
        code, message = await clusters.error(operation, by=user, name="theirs")
        action = "eks:" + operation.title().replace("_", "")
        assert code == "AccessDeniedException"
        assert message.startswith(
            f"User: arn:aws:iam::{ACCOUNT}:user/user is not authorized to perform: {action} on"
            f" resource: arn:aws:eks:us-east-1:{ACCOUNT}:cluster/theirs"
        )
    code, _ = await clusters.error("list_clusters", by=user)
    assert code == "AccessDeniedException"
    assert (await clusters.describe("theirs"))["status"] == "CREATING"


async def test_policies_may_go_by_the_tags_of_clusters(clusters: Clusters):
    await clusters.create("one", tags={"team": "a"})
    await clusters.create("two", tags={"team": "b"})
    own = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    user = await clusters.plane.user("user", allow("eks:*", Condition=own))
    assert await clusters.call("describe_cluster", by=user, name="one")
    code, _ = await clusters.error("describe_cluster", by=user, name="two")
    assert code == "AccessDeniedException"


async def test_who_makes_a_cluster_must_be_allowed_to_pass_its_role_to_eks(clusters: Clusters):
    elsewhere = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    user = await clusters.plane.user(
        "user", allow("eks:*"), allow("iam:PassRole", Condition=elsewhere)
    )
    code, message = await clusters.error("create_cluster", by=user, **clusters.request("web"))
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {clusters.role}" in message
    here = {"StringEquals": {"iam:PassedToService": EKS["Service"]}}
    user = await clusters.plane.user("other", allow("eks:*"), allow("iam:PassRole", Condition=here))
    assert await clusters.call("create_cluster", by=user, **clusters.request("web"))


async def test_who_makes_a_cluster_with_tags_must_be_allowed_to_tag(clusters: Clusters):
    user = await clusters.plane.user("user", allow("eks:CreateCluster", "iam:PassRole"))
    tagged = clusters.request("web", tags={"a": "1"})
    code, message = await clusters.error("create_cluster", by=user, **tagged)
    assert code == "AccessDeniedException"
    assert "eks:TagResource" in message
    assert await clusters.call("create_cluster", by=user, **clusters.request("web"))


@pytest.mark.parametrize(
    ("key", "value", "more"),
    [
        ("eks:authenticationMode", "API", {"accessConfig": {"authenticationMode": "API"}}),
        ("eks:kubernetesVersion", "1.35", {"version": "1.35"}),
        (
            "eks:bootstrapClusterCreatorAdminPermissions",
            "true",
            {"accessConfig": {"bootstrapClusterCreatorAdminPermissions": True}},
        ),
        ("aws:RequestTag/stage", "prod", {"tags": {"stage": "prod"}}),
    ],
)
async def test_policies_may_go_by_what_a_new_cluster_is_to_be(
    clusters: Clusters, key: str, value: str, more: dict[str, Any]
):
    never = {"StringEquals": {key: value}}
    user = await clusters.plane.user("user", allow("*"), deny("eks:CreateCluster", Condition=never))
    code, _ = await clusters.error("create_cluster", by=user, **clusters.request("web", **more))
    assert code == "AccessDeniedException"
    assert await clusters.call("create_cluster", by=user, **clusters.request("web"))
