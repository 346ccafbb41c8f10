"""What an instance's metadata say, as a tree of folders and values: pure.

Categories and values: "Instance metadata categories" (EC2 User Guide).
"""

import base64
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from longshore.model.network import Interface
from longshore.nodeapi.own import HostInstance, InstanceProfile, InstanceRole

VERSIONS = (
    *("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01"),
    *("2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25"),
    *("2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28"),
    *("2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23"),
    *("2021-07-15", "2022-07-09", "2022-09-24", "2024-04-11", "latest"),
)
ROOT_DEVICE = "/dev/xvda"
ARCHITECTURES = {"aarch64": "arm64"}
"""EC2's words for machines; the others are the kernel's."""
DOMAIN = "amazonaws.com"
PARTITION = "aws"
BINARY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Value:
    """A file of the tree."""

    content: bytes
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Folder:
    """`listing` is what a folder shows where that is not the names in it."""

    entries: Mapping[str, "Value | Folder"]
    listing: str | None = None

    def shown(self) -> str:
        """Names line by line, those of folders with a slash."""
        if self.listing is not None:
            return self.listing
        return "\n".join(
            f"{name}/" if isinstance(entry, Folder) else name
            for name, entry in sorted(self.entries.items())
        )


Node = Value | Folder


def metadata_tree(instance: HostInstance, interface: Interface) -> Folder:
    """Everything below `/`; each version has all of it."""
    user_data = _user_data(instance)
    whole: dict[str, Node] = {
        "dynamic": Folder({"instance-identity": _identity(instance, interface)}),
        "meta-data": _folder(_metadata(instance, interface)),
        **({"user-data": Value(user_data, BINARY)} if user_data else {}),
    }
    version = Folder(whole, "\n".join(whole))
    return Folder(dict.fromkeys(VERSIONS, version), "\n".join(VERSIONS))


def find(root: Folder, path: Iterable[str]) -> Node | None:
    """The node at these names; None where there is none."""
    node: Node | None = root
    for name in path:
        node = node.entries.get(name) if isinstance(node, Folder) else None
    return node


def _user_data(instance: HostInstance) -> bytes:
    try:
        return base64.b64decode(instance.user_data)
    except ValueError:
        return b""


def _folder(entries: Mapping[str, str | Node], listing: str | None = None) -> Folder:
    """Without what is empty."""
    return Folder(
        {
            name: Value(entry.encode()) if isinstance(entry, str) else entry
            for name, entry in entries.items()
            if entry and not (isinstance(entry, Folder) and not entry.entries)
        },
        listing,
    )


def _metadata(instance: HostInstance, interface: Interface) -> dict[str, str | Node]:
    return {
        "ami-id": instance.image_id,
        "ami-launch-index": str(instance.launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": _folder({"ami": ROOT_DEVICE, "root": ROOT_DEVICE}),
        "events": _folder({"maintenance": _folder({"history": "[]", "scheduled": "[]"})}),
        "hostname": instance.private_dns_name,
        "iam": _iam(instance.profile),
        "instance-action": "none",
        "instance-id": instance.instance_id,
        "instance-life-cycle": "spot" if instance.spot else "on-demand",
        "instance-type": instance.instance_type,
        "local-hostname": instance.private_dns_name,
        "local-ipv4": interface.address,
        "mac": interface.mac,
        "network": _network(instance, interface),
        "placement": _folder(
            {
                "availability-zone": instance.zone,
                "availability-zone-id": instance.zone_id,
                "region": instance.region,
            }
        ),
        "profile": "default-hvm",
        "public-hostname": instance.public_dns_name,
        "public-ipv4": interface.public_address,
        "public-keys": _public_keys(instance),
        "reservation-id": instance.reservation_id,
        "security-groups": "\n".join(instance.security_groups),
        "services": _folder({"domain": DOMAIN, "partition": PARTITION}),
        "tags": _folder({"instance": _tags(instance.tags or ())}),
    }


def _network(instance: HostInstance, interface: Interface) -> Folder:
    own = _folder(
        {
            "device-number": "0",
            "interface-id": interface.id,
            "ipv4-associations": _folder(
                {public: private for private, public in interface.translations.items()}
            ),
            "local-hostname": instance.private_dns_name,
            "local-ipv4s": "\n".join(interface.addresses),
            "mac": interface.mac,
            "owner-id": instance.account,
            "public-hostname": instance.public_dns_name,
            "public-ipv4s": "\n".join(interface.translations.values()),
            "security-group-ids": "\n".join(interface.security_groups),
            "security-groups": "\n".join(instance.security_groups),
            "subnet-id": interface.subnet_id,
            "subnet-ipv4-cidr-block": instance.subnet_cidr,
            "vpc-id": interface.vpc_id,
            "vpc-ipv4-cidr-block": next(iter(instance.vpc_cidrs), ""),
            "vpc-ipv4-cidr-blocks": "\n".join(instance.vpc_cidrs),
        }
    )
    return _folder({"interfaces": _folder({"macs": _folder({interface.mac: own})})})


def _public_keys(instance: HostInstance) -> Folder:
    key = _folder({"openssh-key": instance.public_key})
    return _folder({"0": key}, f"0={instance.key_name}")


def _tags(tags: Iterable[tuple[str, str]]) -> Folder:
    return Folder({key: Value(value.encode()) for key, value in tags})


def _iam(profile: InstanceProfile | None) -> Folder:
    if profile is None:
        return Folder({})
    role = profile.role
    credentials = {role.name: _credentials(role, profile.updated)} if role is not None else {}
    return _folder({"info": _info(profile), "security-credentials": _folder(credentials)})


def _info(profile: InstanceProfile) -> str:
    return _document(
        {
            "Code": profile.code,
            **({"Message": profile.message} if profile.message else {}),
            "LastUpdated": profile.updated,
            "InstanceProfileArn": profile.arn,
            "InstanceProfileId": profile.id,
        }
    )


def _credentials(role: InstanceRole, updated: str) -> str:
    """Without keys where `code` says why there are none."""
    if not role.access_key_id:
        return _document({"Code": role.code, "Message": role.message, "LastUpdated": updated})
    return _document(
        {
            "Code": role.code,
            "LastUpdated": updated,
            "Type": "AWS-HMAC",
            "AccessKeyId": role.access_key_id,
            "SecretAccessKey": role.secret_access_key,
            "Token": role.session_token,
            "Expiration": role.expiration,
        }
    )


def _identity(instance: HostInstance, interface: Interface) -> Folder:
    machine = platform.machine()
    document = {
        "accountId": instance.account,
        "architecture": ARCHITECTURES.get(machine, machine),
        "availabilityZone": instance.zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": instance.image_id,
        "instanceId": instance.instance_id,
        "instanceType": instance.instance_type,
        "kernelId": None,
        "pendingTime": instance.launched_at,
        "privateIp": interface.address,
        "ramdiskId": None,
        "region": instance.region,
        "version": "2017-09-30",
    }
    return _folder({"document": _document(document)})


def _document(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, separators=(",", " : "))
