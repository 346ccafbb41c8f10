"""What a node group has in the store besides its own records, staged in transactions."""

import hashlib
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.controllers.eks_nodegroup import template as templates
from longshore.controllers.eks_nodegroup.scene import HOOK
from longshore.controllers.eks_nodegroup.template import group_name, name_of
from longshore.model import eks, iam
from longshore.model.arn import make_arn
from longshore.model.auto_scaling import (
    AUTO_SCALING_GROUP,
    LIFECYCLE_HOOK,
    MEMBER,
    ON_TERMINATION,
    AutoScalingGroup,
    LifecycleHook,
    group_arn,
    hook_name,
    member_name,
)
from longshore.model.eks_parts import (
    NODEGROUP,
    NODEGROUP_STATUS,
    Nodegroup,
    NodegroupStatus,
)
from longshore.model.instances import LAUNCH_TEMPLATE, LaunchTemplate, LaunchTemplateVersion
from longshore.policy.key_ids import unique_id
from longshore.store.interface import Key, Reader, Transaction

API_MODES = frozenset({"API", "API_AND_CONFIG_MAP"})
EC2_LINUX = "EC2_LINUX"
NODE_USERNAME, NODE_GROUPS = "system:node:{{EC2PrivateDNSName}}", ("system:nodes",)
GRACE_SECONDS = 15
HEARTBEAT_SECONDS = 1800
CONTINUE = "CONTINUE"
TERMINATION_POLICIES = ("AllocationStrategy", "OldestLaunchTemplate", "OldestInstance")
LINKED_ROLE = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


def status_of(reader: Reader, key: Key, nodegroup: Nodegroup) -> NodegroupStatus | None:
    """None while there is none of this very node group."""
    record = reader.get(NODEGROUP_STATUS, key.account, key.region, key.name)
    return record.value if record is not None and record.value.id == nodegroup.id else None


def put_status(tx: Transaction, key: Key, status: NodegroupStatus) -> None:
    record = tx.get(NODEGROUP_STATUS, key.account, key.region, key.name)
    if record is None or record.value != status:
        tx.put(NODEGROUP_STATUS, key.account, key.region, key.name, status)


def group_of(reader: Reader, key: Key, status: NodegroupStatus) -> AutoScalingGroup | None:
    record = reader.get(AUTO_SCALING_GROUP, key.account, key.region, status.group)
    return record.value if record is not None else None


def template_of(reader: Reader, key: Key, status: NodegroupStatus) -> LaunchTemplate | None:
    record = reader.get(LAUNCH_TEMPLATE, key.account, key.region, status.launch_template_id)
    return record.value if record is not None else None


def open_update(reader: Reader, key: Key, nodegroup: Nodegroup) -> eks.Update | None:
    """The node group's update that is in progress."""
    prefix = eks.update_name(nodegroup.cluster, "")
    for record in reader.scan(eks.UPDATE, key.account, key.region, prefix=prefix):
        update = record.value
        if update.status == "InProgress" and update.subject == (nodegroup.name, ""):
            return update
    return None


def end_update(tx: Transaction, key: Key, update: eks.Update, *errors: eks.UpdateError) -> None:
    """The update has succeeded, or has failed for these reasons."""
    name = eks.update_name(update.cluster, update.id)
    status = "Failed" if errors else "Successful"
    ended = msgspec.structs.replace(update, status=status, errors=errors)
    tx.put(eks.UPDATE, key.account, key.region, name, ended)


def begin(
    tx: Transaction, ids: Ids, key: Key, cluster: eks.Cluster, nodegroup: Nodegroup, now: float
) -> NodegroupStatus:
    """The status of a node group that nothing has been done for yet, with what its nodes' role
    needs; its launch template and its Auto Scaling group come after that."""
    _have_profile(tx, ids, key, nodegroup, now)
    entry = _have_access_entry(tx, ids, key, cluster, nodegroup, now)
    status = NodegroupStatus(id=nodegroup.id, access_entry=entry)
    put_status(tx, key, status)
    return status


def _have_profile(tx: Transaction, ids: Ids, key: Key, nodegroup: Nodegroup, now: float) -> None:
    name = name_of(nodegroup)
    if tx.get(iam.INSTANCE_PROFILE, key.account, "", name) is not None:
        return
    profile = iam.InstanceProfile(
        name=name,
        path="/",
        id=unique_id("instance-profile", ids),
        arn=make_arn("iam", "", key.account, f"instance-profile/{name}"),
        created_at=now,
        roles=(role_name(nodegroup),),
    )
    tx.create(iam.INSTANCE_PROFILE, key.account, "", name, profile)


def role_name(nodegroup: Nodegroup) -> str:
    return nodegroup.node_role.rpartition("/")[2]


def _have_access_entry(
    tx: Transaction,
    ids: Ids,
    key: Key,
    cluster: eks.Cluster,
    nodegroup: Nodegroup,
    now: float,
) -> str:
    """The ARN of the access entry that was made for the node role; empty where somebody else made
    one, or the cluster knows none."""
    if cluster.authentication_mode not in API_MODES:
        return ""
    name = eks.entry_name(cluster.name, nodegroup.node_role)
    found = tx.get(eks.ACCESS_ENTRY, key.account, key.region, name)
    if found is not None:
        return found.value.arn if found.value.arn in _entries_made(tx, key, nodegroup) else ""
    role = tx.get(iam.ROLE, key.account, "", role_name(nodegroup).lower())
    if role is None:
        return ""
    resource = f"role/{key.account}/{role.value.name}/{ids.uuid()}"
    entry = eks.AccessEntry(
        cluster=cluster.name,
        principal_arn=nodegroup.node_role,
        principal_id=role.value.id,
        arn=make_arn("eks", key.region, key.account, f"access-entry/{cluster.name}/{resource}"),
        type=EC2_LINUX,
        username=NODE_USERNAME,
        groups=NODE_GROUPS,
        created_at=now,
        modified_at=now,
    )
    tx.create(eks.ACCESS_ENTRY, key.account, key.region, name, entry)
    return entry.arn


def _entries_made(reader: Reader, key: Key, nodegroup: Nodegroup) -> set[str]:
    """Access entries that other node groups of the cluster have had made."""
    prefix = f"{nodegroup.cluster}/"
    statuses = reader.scan(NODEGROUP_STATUS, key.account, key.region, prefix=prefix)
    return {record.value.access_entry for record in statuses if record.key.name != key.name} - {""}


def software(nodegroup: Nodegroup) -> str:
    """What tells what the nodes run from what they ran before."""
    said = (nodegroup.version, nodegroup.release_version, nodegroup.launch_template)
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def have_template(
    tx: Transaction,
    ids: Ids,
    key: Key,
    nodegroup: Nodegroup,
    status: NodegroupStatus,
    data: dict[str, Any],
    now: float,
) -> NodegroupStatus:
    """The status once the launch template says `data`; a template that somebody has deleted stays
    so."""
    record = template_of(tx, key, status)
    if record is None and status.launch_template_id:
        return status
    made = _with_version(ids, key, nodegroup, record, status.template_version, data, now)
    if made is not record:
        tx.put(LAUNCH_TEMPLATE, key.account, key.region, made.id, made)
    said = software(nodegroup)
    version = status.template_version if made is record else made.latest
    changed = msgspec.structs.replace(status, launch_template_id=made.id, template_version=version)
    if status.software != said:
        # Whatever else is said of them, nodes of a template that says the same run the same.
        current = status.current if made is record else version
        changed = msgspec.structs.replace(changed, software=said, current=current)
    put_status(tx, key, changed)
    return changed


def _with_version(
    ids: Ids,
    key: Key,
    nodegroup: Nodegroup,
    before: LaunchTemplate | None,
    number: int,
    data: dict[str, Any],
    now: float,
) -> LaunchTemplate:
    """The template, with another version unless the one of this number says the same."""
    author = make_arn(
        "sts", "", key.account, "assumed-role/AWSServiceRoleForAmazonEKSNodegroup/EKS"
    )
    if before is None:
        first = LaunchTemplateVersion(number=1, data=data, created_at=now, created_by=author)
        tags = (("eks:cluster-name", nodegroup.cluster), ("eks:nodegroup-name", nodegroup.name))
        return LaunchTemplate(
            id=f"lt-{ids.hex(17)}",
            name=name_of(nodegroup),
            created_at=now,
            created_by=author,
            versions=(first,),
            tags=tags,
        )
    if any(each.number == number and each.data == data for each in before.versions):
        return before
    version = LaunchTemplateVersion(
        number=before.latest + 1, data=data, created_at=now, created_by=author
    )
    return msgspec.structs.replace(
        before,
        versions=(*before.versions, version),
        latest=version.number,
        default=version.number,
    )


def have_group(
    tx: Transaction,
    ids: Ids,
    key: Key,
    nodegroup: Nodegroup,
    status: NodegroupStatus,
    types: tuple[str, ...],
    now: float,
) -> NodegroupStatus:
    """The status once the Auto Scaling group launches from the newest version of the template; a
    group that somebody has deleted stays so."""
    mixed = templates.mixed_instances(
        nodegroup, status.launch_template_id, status.template_version, types
    )
    found = group_of(tx, key, status)
    if found is not None and found.mixed_instances != mixed:
        changed = msgspec.structs.replace(found, mixed_instances=mixed)
        tx.put(AUTO_SCALING_GROUP, key.account, key.region, found.name, changed)
    if status.group:
        return status
    group = _new_group(ids, key, nodegroup, mixed, now)
    tx.create(AUTO_SCALING_GROUP, key.account, key.region, group.name, group)
    hook = LifecycleHook(
        group=group.name,
        name=HOOK,
        transition=ON_TERMINATION,
        heartbeat_seconds=HEARTBEAT_SECONDS,
        default_result=CONTINUE,
    )
    name = hook_name(group.name, hook.name)
    tx.create(LIFECYCLE_HOOK, key.account, key.region, name, hook)
    made = msgspec.structs.replace(status, group=group.name)
    put_status(tx, key, made)
    return made


def _new_group(
    ids: Ids, key: Key, nodegroup: Nodegroup, mixed: dict[str, Any], now: float
) -> AutoScalingGroup:
    name = group_name(nodegroup)
    return AutoScalingGroup(
        name=name,
        arn=group_arn(key.region, key.account, ids.uuid(), name),
        min_size=nodegroup.min_size,
        max_size=nodegroup.max_size,
        desired=nodegroup.desired_size,
        created_at=now,
        mixed_instances=mixed,
        subnets=nodegroup.subnets,
        health_check_grace_seconds=GRACE_SECONDS,
        termination_policies=TERMINATION_POLICIES,
        capacity_rebalance=nodegroup.capacity_type == "SPOT",
        service_linked_role_arn=make_arn("iam", "", key.account, f"role/{LINKED_ROLE}"),
        tags=templates.group_tags(nodegroup),
    )


def resize(
    tx: Transaction, key: Key, status: NodegroupStatus, now: float, why: str, **sizes: int
) -> None:
    """Give the Auto Scaling group these sizes (`min_size`, `max_size`, `desired`)."""
    group = group_of(tx, key, status)
    if group is None:
        return
    changed = msgspec.structs.replace(group, **sizes)
    if changed == group:
        return
    if changed.desired != group.desired:
        cause = f"{why} changing the desired capacity from {group.desired} to {changed.desired}"
        changed = msgspec.structs.replace(changed, change=cause, changed_at=now)
    tx.put(AUTO_SCALING_GROUP, key.account, key.region, group.name, changed)


def end_group(tx: Transaction, key: Key, status: NodegroupStatus, now: float) -> bool:
    """Have no Auto Scaling group any more; whether that is so."""
    group = group_of(tx, key, status)
    if group is None:
        return True
    if not group.deleted_at:
        ended = msgspec.structs.replace(group, min_size=0, max_size=0, desired=0, deleted_at=now)
        tx.put(AUTO_SCALING_GROUP, key.account, key.region, group.name, ended)
    return False


def forget(tx: Transaction, key: Key, nodegroup: Nodegroup) -> None:
    """Take away every record of the node group; its instances have ended."""
    own = (key.account, key.region)
    status = status_of(tx, key, nodegroup)
    if status is not None:
        tx.delete(LAUNCH_TEMPLATE, *own, status.launch_template_id)
        if status.access_entry and status.access_entry not in _entries_made(tx, key, nodegroup):
            _forget_entry(tx, key, nodegroup, status.access_entry)
    tx.delete(iam.INSTANCE_PROFILE, key.account, "", name_of(nodegroup))
    for record in tx.scan(eks.UPDATE, *own, prefix=eks.update_name(nodegroup.cluster, "")):
        if record.value.subject == (nodegroup.name, ""):
            tx.delete(eks.UPDATE, *own, record.key.name)
    tx.delete(NODEGROUP_STATUS, *own, key.name)
    tx.delete(NODEGROUP, *own, key.name)


def _forget_entry(tx: Transaction, key: Key, nodegroup: Nodegroup, arn: str) -> None:
    name = eks.entry_name(nodegroup.cluster, nodegroup.node_role)
    found = tx.get(eks.ACCESS_ENTRY, key.account, key.region, name)
    if found is not None and found.value.arn == arn:
        tx.delete(eks.ACCESS_ENTRY, key.account, key.region, name)


def ask_to_end(
    tx: Transaction,
    key: Key,
    status: NodegroupStatus,
    instance_id: str,
    now: float,
    why: str,
    *,
    replace: bool = True,
) -> None:
    """Have the Auto Scaling group end a member; without `replace` it has one less from then on."""
    name = member_name(status.group, instance_id)
    found = tx.get(MEMBER, key.account, key.region, name)
    if found is None or found.value.asked:
        return
    # Whatever could be drained of its node has been.
    done = (HOOK,)
    asked = msgspec.structs.replace(
        found.value, asked="terminate", replace=replace, cause=why, done=done
    )
    tx.put(MEMBER, key.account, key.region, name, asked)
    group = group_of(tx, key, status)
    if group is not None and not replace:
        resize(tx, key, status, now, why, desired=max(0, group.desired - 1))


def let_go(tx: Transaction, key: Key, status: NodegroupStatus, instance_id: str) -> None:
    """Complete the lifecycle action that a member waits for: its node has been drained."""
    name = member_name(status.group, instance_id)
    found = tx.get(MEMBER, key.account, key.region, name)
    if found is None:
        return
    actions = tuple(
        msgspec.structs.replace(each, result=CONTINUE)
        if each.hook == HOOK and not each.result
        else each
        for each in found.value.actions
    )
    if actions != found.value.actions:
        changed = msgspec.structs.replace(found.value, actions=actions)
        tx.put(MEMBER, key.account, key.region, name, changed)
