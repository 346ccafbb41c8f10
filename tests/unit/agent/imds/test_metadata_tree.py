"""What instance metadata say, path by path."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.agent.imds.metadata_instance import INTERFACE, PROFILE, ROLE, make_instance

from longshore.agent.imds.tree import VERSIONS, Folder, Value, find, metadata_tree
from longshore.nodeapi.own import HostInstance

TOP = """ami-id
ami-launch-index
ami-manifest-path
block-device-mapping/
events/
hostname
iam/
instance-action
instance-id
instance-life-cycle
instance-type
local-hostname
local-ipv4
mac
network/
placement/
profile
public-hostname
public-ipv4
public-keys/
reservation-id
security-groups
services/"""
MAC = "meta-data/network/interfaces/macs/02:00:00:00:01:05"


def shown(path: str, instance: HostInstance | None = None) -> str | None:
    """What stands at the path below `latest`; None where nothing does."""
    tree = metadata_tree(instance or make_instance(), INTERFACE)
    match find(tree, ("latest", *path.split("/")) if path else ("latest",)):
        case Value(content):
            return content.decode("latin-1")
        case Folder() as folder:
            return folder.shown()
        case _:
            return None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("", "dynamic\nmeta-data\nuser-data"),
        ("dynamic", "instance-identity/"),
        ("dynamic/instance-identity", "document"),
        ("meta-data", TOP),
        ("meta-data/ami-id", "ami-0123456789abcdef0"),
        ("meta-data/ami-launch-index", "1"),
        ("meta-data/ami-manifest-path", "(unknown)"),
        ("meta-data/block-device-mapping", "ami\nroot"),
        ("meta-data/block-device-mapping/root", "/dev/xvda"),
        ("meta-data/events/maintenance/scheduled", "[]"),
        ("meta-data/hostname", "ip-10-0-1-5.ec2.internal"),
        ("meta-data/iam", "info\nsecurity-credentials/"),
        ("meta-data/iam/security-credentials", "node"),
        ("meta-data/instance-action", "none"),
        ("meta-data/instance-id", "i-0123456789abcdef5"),
        ("meta-data/instance-life-cycle", "on-demand"),
        ("meta-data/instance-type", "t3.medium"),
        ("meta-data/local-hostname", "ip-10-0-1-5.ec2.internal"),
        ("meta-data/local-ipv4", "10.0.1.5"),
        ("meta-data/mac", "02:00:00:00:01:05"),
        ("meta-data/network/interfaces/macs", "02:00:00:00:01:05/"),
        (f"{MAC}/device-number", "0"),
        (f"{MAC}/interface-id", "eni-15"),
        (f"{MAC}/ipv4-associations", "198.18.7.5\n198.18.7.61"),
        (f"{MAC}/ipv4-associations/198.18.7.61", "10.0.1.61"),
        (f"{MAC}/local-hostname", "ip-10-0-1-5.ec2.internal"),
        (f"{MAC}/local-ipv4s", "10.0.1.5\n10.0.1.60\n10.0.1.61"),
        (f"{MAC}/mac", "02:00:00:00:01:05"),
        (f"{MAC}/owner-id", "123456789012"),
        (f"{MAC}/public-hostname", "ec2-198-18-7-5.compute-1.amazonaws.com"),
        (f"{MAC}/public-ipv4s", "198.18.7.5\n198.18.7.61"),
        (f"{MAC}/security-group-ids", "sg-1\nsg-2"),
        (f"{MAC}/security-groups", "web\nssh"),
        (f"{MAC}/subnet-id", "subnet-1"),
        (f"{MAC}/subnet-ipv4-cidr-block", "10.0.1.0/24"),
        (f"{MAC}/vpc-id", "vpc-1"),
        (f"{MAC}/vpc-ipv4-cidr-block", "10.0.0.0/16"),
        (f"{MAC}/vpc-ipv4-cidr-blocks", "10.0.0.0/16\n10.1.0.0/16"),
        ("meta-data/placement", "availability-zone\navailability-zone-id\nregion"),
        ("meta-data/placement/availability-zone", "us-east-1a"),
        ("meta-data/placement/availability-zone-id", "use1-az1"),
        ("meta-data/placement/region", "us-east-1"),
        ("meta-data/profile", "default-hvm"),
        ("meta-data/public-hostname", "ec2-198-18-7-5.compute-1.amazonaws.com"),
        ("meta-data/public-ipv4", "198.18.7.5"),
        ("meta-data/public-keys", "0=mine"),
        ("meta-data/public-keys/0", "openssh-key"),
        ("meta-data/public-keys/0/openssh-key", "ssh-ed25519 AAAA mine"),
        ("meta-data/reservation-id", "r-0123456789abcdef0"),
        ("meta-data/security-groups", "web\nssh"),
        ("meta-data/services/domain", "amazonaws.com"),
        ("meta-data/services/partition", "aws"),
        ("user-data", "#!/bin/sh\n\x00\xff"),
    ],
)
def test_a_path_says_what_aws_says_there(path: str, text: str) -> None:
    assert shown(path) == text


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "meta-data/nothing",
        "meta-data/instance-id/further",
        "meta-data/tags",
        "meta-data/spot",
        "meta-data/identity-credentials",
        "dynamic/instance-identity/signature",
        "dynamic/instance-identity/pkcs7",
        "meta-data//instance-id",
    ],
)
def test_what_there_is_not_is_not_found(path: str) -> None:
    assert shown(path) is None


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({"profile": None}, ["meta-data/iam", "meta-data/iam/info"]),
        ({"user_data": ""}, ["user-data"]),
        ({"public_dns_name": ""}, ["meta-data/public-hostname", f"{MAC}/public-hostname"]),
        ({"key_name": "", "public_key": ""}, ["meta-data/public-keys"]),
    ],
)
def test_what_an_instance_has_not_is_neither_listed_nor_found(
    changes: dict[str, Any], absent: list[str]
) -> None:
    instance = make_instance(**changes)
    for path in absent:
        folder, _, name = path.rpartition("/")
        assert shown(path, instance) is None
        assert name not in (shown(folder, instance) or "").replace("/", "").splitlines()


def test_an_instance_without_public_address_says_nothing_of_one() -> None:
    alone = msgspec.structs.replace(INTERFACE, public_address="", secondary=())
    tree = metadata_tree(make_instance(public_dns_name=""), alone)
    for path in ("public-ipv4", *(f"{MAC[10:]}/{name}" for name in ("public-ipv4s",))):
        assert find(tree, ("latest", "meta-data", *path.split("/"))) is None
    assert find(tree, ("latest", *MAC.split("/"), "ipv4-associations")) is None


def test_user_data_are_bytes() -> None:
    node = find(metadata_tree(make_instance(), INTERFACE), ("latest", "user-data"))
    assert node == Value(b"#!/bin/sh\n\x00\xff", "application/octet-stream")


def test_every_version_is_listed_and_has_the_same_tree() -> None:
    tree = metadata_tree(make_instance(), INTERFACE)
    assert tree.shown().splitlines() == list(VERSIONS)
    assert {"2021-07-15", "latest"} <= set(VERSIONS)
    for version in VERSIONS:
        assert find(tree, (version, "meta-data", "mac")) == Value(b"02:00:00:00:01:05")


def test_tags_are_there_where_the_instance_shows_them() -> None:
    instance = make_instance(tags=(("Name", "web 1"), ("empty", "")))
    assert shown("meta-data", instance) == f"{TOP}\ntags/"
    assert shown("meta-data/tags/instance", instance) == "Name\nempty"
    assert shown("meta-data/tags/instance/Name", instance) == "web 1"
    assert shown("meta-data/tags/instance/empty", instance) == ""


def test_a_spot_instance_says_so() -> None:
    assert shown("meta-data/instance-life-cycle", make_instance(spot=True)) == "spot"


def test_the_identity_document_has_awss_members() -> None:
    document = json.loads(shown("dynamic/instance-identity/document") or "")
    assert document.pop("architecture") in {"x86_64", "arm64"}
    assert document == {
        "accountId": "123456789012",
        "availabilityZone": "us-east-1a",
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": "ami-0123456789abcdef0",
        "instanceId": "i-0123456789abcdef5",
        "instanceType": "t3.medium",
        "kernelId": None,
        "pendingTime": "2026-01-01T00:00:00Z",
        "privateIp": "10.0.1.5",
        "ramdiskId": None,
        "region": "us-east-1",
        "version": "2017-09-30",
    }


def test_credentials_have_the_members_that_sdks_read() -> None:
    assert json.loads(shown("meta-data/iam/security-credentials/node") or "") == {
        "Code": "Success",
        "LastUpdated": "2026-01-01T00:00:00Z",
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": "secret",
        "Token": "token",
        "Expiration": "2126-01-01T00:00:00Z",
    }
    assert json.loads(shown("meta-data/iam/info") or "") == {
        "Code": "Success",
        "LastUpdated": "2026-01-01T00:00:00Z",
        "InstanceProfileArn": PROFILE.arn,
        "InstanceProfileId": PROFILE.id,
    }


def test_a_role_that_ec2_may_not_assume_is_named_with_the_reason_and_no_keys() -> None:
    role = msgspec.structs.replace(
        ROLE, code="AssumeRoleUnauthorizedAccess", message="EC2 cannot.", access_key_id=""
    )
    profile = msgspec.structs.replace(PROFILE, role=role)
    instance = make_instance(profile=profile)
    assert shown("meta-data/iam/security-credentials", instance) == "node"
    assert json.loads(shown("meta-data/iam/security-credentials/node", instance) or "") == {
        "Code": "AssumeRoleUnauthorizedAccess",
        "Message": "EC2 cannot.",
        "LastUpdated": "2026-01-01T00:00:00Z",
    }


def test_a_profile_without_role_says_so_in_its_info_and_has_no_credentials() -> None:
    profile = msgspec.structs.replace(PROFILE, role=None, message="No role.")
    instance = make_instance(profile=profile)
    assert shown("meta-data/iam", instance) == "info"
    assert json.loads(shown("meta-data/iam/info", instance) or "")["Message"] == "No role."


def _leaves(folder: Folder, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, entry in folder.entries.items():
        here = (*path, name)
        found += _leaves(entry, here) if isinstance(entry, Folder) else [here]
    return found


@given(
    st.builds(
        make_instance,
        user_data=st.text(max_size=20),
        tags=st.none() | st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple),
        security_groups=st.lists(st.text(max_size=5), max_size=3).map(tuple),
        profile=st.sampled_from([None, PROFILE]),
    )
)
def test_whatever_an_instance_is_its_folders_list_what_is_in_them(instance: HostInstance) -> None:
    root = metadata_tree(instance, INTERFACE)
    metadata = find(root, ("latest", "meta-data"))
    assert isinstance(metadata, Folder)
    for path in _leaves(metadata):
        assert isinstance(find(metadata, path), Value)
        if path[0] not in {"public-keys", "tags"}:
            for depth, name in enumerate(path):
                folder = find(metadata, path[:depth])
                assert isinstance(folder, Folder)
                assert name in [each.rstrip("/") for each in folder.shown().splitlines()]
