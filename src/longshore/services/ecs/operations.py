"""The table of ECS's operations."""

from longshore.services.ecs import (
    agent,
    clusters,
    definitions,
    instances,
    protection,
    settings,
    tags,
    tasks,
)
from longshore.services.ecs.resources import RESOURCES
from longshore.services.interface import Service


def service() -> Service:
    """ECS as the gateway offers it."""
    return Service(
        name="ecs",
        iam_prefix="ecs",
        operations={
            "CreateCluster": clusters.create_cluster,
            "DeleteAccountSetting": settings.delete_account_setting,
            "DeleteAttributes": instances.delete_attributes,
            "DeleteCluster": clusters.delete_cluster,
            "DeleteTaskDefinitions": definitions.delete_task_definitions,
            "DeregisterContainerInstance": instances.deregister_container_instance,
            "DeregisterTaskDefinition": definitions.deregister_task_definition,
            "DescribeClusters": clusters.describe_clusters,
            "DescribeContainerInstances": instances.describe_container_instances,
            "DescribeTaskDefinition": definitions.describe_task_definition,
            "DescribeTasks": tasks.describe_tasks,
            "DiscoverPollEndpoint": agent.discover_poll_endpoint,
            "GetTaskProtection": protection.get_task_protection,
            "ListAccountSettings": settings.list_account_settings,
            "ListAttributes": instances.list_attributes,
            "ListClusters": clusters.list_clusters,
            "ListContainerInstances": instances.list_container_instances,
            "ListTagsForResource": tags.list_tags_for_resource,
            "ListTaskDefinitionFamilies": definitions.list_task_definition_families,
            "ListTaskDefinitions": definitions.list_task_definitions,
            "ListTasks": tasks.list_tasks,
            "PutAccountSetting": settings.put_account_setting,
            "PutAccountSettingDefault": settings.put_account_setting_default,
            "PutAttributes": instances.put_attributes,
            "PutClusterCapacityProviders": clusters.put_cluster_capacity_providers,
            "RegisterContainerInstance": instances.register_container_instance,
            "RegisterTaskDefinition": definitions.register_task_definition,
            "RunTask": tasks.run_task,
            "StartTask": tasks.start_task,
            "StopTask": tasks.stop_task,
            "SubmitAttachmentStateChanges": agent.submit_attachment_state_changes,
            "SubmitContainerStateChange": agent.submit_container_state_change,
            "SubmitTaskStateChange": agent.submit_task_state_change,
            "TagResource": tags.tag_resource,
            "UntagResource": tags.untag_resource,
            "UpdateCluster": clusters.update_cluster,
            "UpdateClusterSettings": clusters.update_cluster_settings,
            "UpdateContainerInstancesState": instances.update_container_instances_state,
            "UpdateTaskProtection": protection.update_task_protection,
        },
        resources=RESOURCES,
    )
