"""Every operation that is built, and what all of them share: DryRun."""

from collections.abc import Mapping, Sequence
from typing import Any

from longshore.model.errors import AwsError
from longshore.services.ec2 import (
    addresses,
    defaults,
    instance_attributes,
    instance_states,
    instance_types,
    instances,
    internet_gateways,
    key_pairs,
    launch_templates,
    machine_images,
    network_interfaces,
    profile_associations,
    regions,
    route_tables,
    running,
    security_group_rules,
    security_groups,
    snapshots,
    subnets,
    tagging,
    volume_attachments,
    volume_modifications,
    volumes,
    vpcs,
)
from longshore.services.interface import Context, Operation, Response

OPERATIONS: Sequence[Operation] = (
    addresses.allocate_address,
    addresses.associate_address,
    addresses.describe_addresses,
    addresses.describe_addresses_attribute,
    addresses.disassociate_address,
    addresses.release_address,
    defaults.describe_account_attributes,
    defaults.describe_dhcp_options,
    defaults.describe_managed_prefix_lists,
    defaults.describe_network_acls,
    defaults.describe_prefix_lists,
    instance_attributes.describe_instance_attribute,
    instance_attributes.describe_instance_credit_specifications,
    instance_attributes.modify_instance_attribute,
    instance_attributes.modify_instance_metadata_options,
    instance_attributes.reset_instance_attribute,
    instance_states.monitor_instances,
    instance_states.reboot_instances,
    instance_states.start_instances,
    instance_states.stop_instances,
    instance_states.terminate_instances,
    instance_states.unmonitor_instances,
    instance_types.describe_instance_type_offerings,
    instance_types.describe_instance_types,
    instances.describe_instance_status,
    instances.describe_instances,
    internet_gateways.attach_internet_gateway,
    internet_gateways.create_internet_gateway,
    internet_gateways.delete_internet_gateway,
    internet_gateways.describe_internet_gateways,
    internet_gateways.detach_internet_gateway,
    key_pairs.create_key_pair,
    key_pairs.delete_key_pair,
    key_pairs.describe_key_pairs,
    key_pairs.import_key_pair,
    launch_templates.create_launch_template,
    launch_templates.create_launch_template_version,
    launch_templates.delete_launch_template,
    launch_templates.delete_launch_template_versions,
    launch_templates.describe_launch_template_versions,
    launch_templates.describe_launch_templates,
    launch_templates.get_launch_template_data,
    launch_templates.modify_launch_template,
    machine_images.describe_images,
    network_interfaces.assign_private_ip_addresses,
    network_interfaces.create_network_interface,
    network_interfaces.delete_network_interface,
    network_interfaces.describe_network_interface_attribute,
    network_interfaces.describe_network_interfaces,
    network_interfaces.modify_network_interface_attribute,
    network_interfaces.unassign_private_ip_addresses,
    profile_associations.associate_iam_instance_profile,
    profile_associations.describe_iam_instance_profile_associations,
    profile_associations.disassociate_iam_instance_profile,
    profile_associations.replace_iam_instance_profile_association,
    regions.describe_availability_zones,
    regions.describe_regions,
    route_tables.associate_route_table,
    route_tables.create_route,
    route_tables.create_route_table,
    route_tables.delete_route,
    route_tables.delete_route_table,
    route_tables.describe_route_tables,
    route_tables.disassociate_route_table,
    route_tables.replace_route,
    route_tables.replace_route_table_association,
    running.run_instances,
    security_group_rules.authorize_security_group_egress,
    security_group_rules.authorize_security_group_ingress,
    security_group_rules.describe_security_group_rules,
    security_group_rules.modify_security_group_rules,
    security_group_rules.revoke_security_group_egress,
    security_group_rules.revoke_security_group_ingress,
    security_group_rules.update_security_group_rule_descriptions_egress,
    security_group_rules.update_security_group_rule_descriptions_ingress,
    security_groups.create_security_group,
    security_groups.delete_security_group,
    security_groups.describe_security_groups,
    snapshots.create_snapshot,
    snapshots.delete_snapshot,
    snapshots.describe_snapshots,
    subnets.create_subnet,
    subnets.delete_subnet,
    subnets.describe_subnets,
    subnets.modify_subnet_attribute,
    tagging.create_tags,
    tagging.delete_tags,
    tagging.describe_tags,
    volume_attachments.attach_volume,
    volume_attachments.detach_volume,
    volume_modifications.describe_volumes_modifications,
    volume_modifications.modify_volume,
    volumes.create_volume,
    volumes.delete_volume,
    volumes.describe_volume_attribute,
    volumes.describe_volume_status,
    volumes.describe_volumes,
    volumes.enable_volume_io,
    volumes.modify_volume_attribute,
    vpcs.associate_vpc_cidr_block,
    vpcs.create_default_vpc,
    vpcs.create_vpc,
    vpcs.delete_vpc,
    vpcs.describe_vpc_attribute,
    vpcs.describe_vpcs,
    vpcs.disassociate_vpc_cidr_block,
    vpcs.modify_vpc_attribute,
)


TRIED = frozenset({volumes.create_volume})
"""A dry run of these is refused as the call would be: EBS's CSI driver learns limits from that."""


def _with_dry_run(function: Operation) -> Operation:
    """The caller may (the gateway has asked): a dry run ends here ("DryRun" of every action)."""

    def operation(context: Context, request: Any) -> Response:
        if request.get("DryRun"):
            if function in TRIED:
                # What it stages goes with the error below.
                function(context, request)
            raise AwsError(
                "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.",
                status=412,
            )
        return function(context, request)

    return operation


def _name(function: Operation) -> str:
    """`CreateVpc` of `create_vpc`."""
    if function is volumes.enable_volume_io:
        return "EnableVolumeIO"
    return "".join(word.capitalize() for word in function.__name__.split("_"))


def operations() -> Mapping[str, Operation]:
    """For `Service.operations`."""
    return {_name(function): _with_dry_run(function) for function in OPERATIONS}
