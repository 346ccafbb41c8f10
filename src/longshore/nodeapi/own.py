"""Messages of our own on the ACS session, sent only to agents that registered the attribute
`longshore.host` (Longshore's own agent).

`NetworkMessage` carries the host's whole network; it precedes, on the same session, every
`PayloadMessage` whose tasks need it. The agent answers with `NetworkAckRequest` when the kernel has
it. An ENI reaches the agent in `NetworkMessage.network.interfaces` and, by id, in the task's
`elasticNetworkInterfaces[].ec2Id`.

`InstancesMessage` is as complete: what the metadata of every EC2 instance on the host say, its
role's credentials among it. It precedes the `PayloadMessage` of a task that is one of them
(docs/decisions/0106). Addresses and security groups' ids are the `NetworkMessage`'s.

`VolumesMessage` is as complete: every volume and snapshot whose file is to be on the host, and what
is to be in which instance. What is to go is listed as `deleted`: files that are not listed are left
alone. The agent answers with `VolumesReport`, as complete, whenever what it has is another
(docs/decisions/0113).
"""

import msgspec

from longshore.model.network import Network

HOST_ATTRIBUTE = "longshore.host"


class NetworkMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Control plane to agent: the network that the host is to have."""

    message_id: str
    network: Network


class NetworkAckRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Agent to control plane: the kernel has this revision, or why it does not."""

    message_id: str
    revision: int
    error: str = ""


class Own(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the parts of `InstancesMessage` have in common; times are text as RFC 3339 has it."""


class InstanceRole(Own, frozen=True, kw_only=True):
    """The role of an instance profile. `code` is `Success`, or why there are no credentials."""

    name: str
    code: str = "Success"
    message: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    expiration: str = ""


class InstanceProfile(Own, frozen=True, kw_only=True):
    """An instance's profile; `code` and `message` are those of `iam/info`. `updated` is when role
    and credentials were looked up."""

    arn: str
    id: str
    code: str = "Success"
    message: str = ""
    updated: str = ""
    role: InstanceRole | None = None


class HostInstance(Own, frozen=True, kw_only=True):
    """An EC2 instance on this host, and what its metadata say besides its interface's network."""

    interface_id: str
    instance_id: str
    image_id: str
    instance_type: str
    account: str
    region: str
    zone: str
    zone_id: str
    reservation_id: str
    launch_index: int = 0
    launched_at: str
    spot: bool = False
    private_dns_name: str
    public_dns_name: str = ""
    """Empty without a public address, or where the VPC has no DNS host names."""
    subnet_cidr: str
    vpc_cidrs: tuple[str, ...]
    security_groups: tuple[str, ...] = ()
    """Names."""
    key_name: str = ""
    public_key: str = ""
    """In OpenSSH's form."""
    user_data: str = ""
    """Base64."""
    endpoint: bool = True
    tokens_required: bool = True
    hop_limit: int = 2
    tags: tuple[tuple[str, str], ...] | None = None
    """None where metadata are not to show them."""
    profile: InstanceProfile | None = None


class InstancesMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Control plane to agent: all EC2 instances whose interface is on the host."""

    message_id: str
    instances: tuple[HostInstance, ...]


class HostVolume(Own, frozen=True, kw_only=True):
    """A volume whose file the host is to have; sizes in GiB."""

    id: str
    size: int
    snapshot_id: str = ""
    """What a new file begins as."""
    instance_id: str = ""
    """The instance that it is to be in; empty for none."""
    interface_id: str = ""
    """That instance's primary interface, which its task has."""
    device: str = ""
    """As it was asked for: `/dev/xvdba`, `/dev/sdf`."""
    forced: bool = False
    """Whether it leaves an instance even where it is mounted."""
    made: bool = False
    """Whether its file was there before: then none is made in its place."""
    deleted: bool = False
    revision: int = 0
    """Of what is wanted of it; the report says which one it had."""


class HostSnapshot(Own, frozen=True, kw_only=True):
    """A snapshot whose file the host is to have."""

    id: str
    volume_id: str
    made: bool = False
    """Whether its file was there before: then none is made in its place."""
    deleted: bool = False


class VolumesMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Control plane to agent: all volumes and snapshots of the host."""

    message_id: str
    volumes: tuple[HostVolume, ...]
    snapshots: tuple[HostSnapshot, ...] = ()


class ReportedVolume(Own, frozen=True, kw_only=True):
    """What there is of a volume; `size` in GiB, 0 with why in `error`, or with `gone` where it was
    deleted. `instance_id` and `device` say where it is, `busy` that it cannot leave there."""

    id: str
    size: int = 0
    error: str = ""
    instance_id: str = ""
    device: str = ""
    busy: bool = False
    gone: bool = False
    revision: int = 0


class ReportedSnapshot(Own, frozen=True, kw_only=True):
    """What there is of a snapshot: `stored` bytes on the disk, or why there is none; `gone` where
    it was deleted."""

    id: str
    stored: int = 0
    error: str = ""
    gone: bool = False


class VolumesReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Agent to control plane: what there is of all that it was told of, but for what it is still
    making."""

    volumes: tuple[ReportedVolume, ...]
    snapshots: tuple[ReportedSnapshot, ...] = ()
