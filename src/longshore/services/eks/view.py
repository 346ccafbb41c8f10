"""Clusters as the API shows them: what was asked for, and what has become of it."""

import base64
from typing import Any

from longshore.model import eks
from longshore.services.eks.logging import logging_shape
from longshore.services.eks.records import running_version


def status_shown(cluster: eks.Cluster, status: eks.ClusterStatus | None, *, updating: bool) -> str:
    """UPDATING during updates of every type (UpdateClusterConfig, Amazon EKS API Reference)."""
    if cluster.deleted_at:
        return "DELETING"
    shown = status.status if status is not None else "CREATING"
    return "UPDATING" if updating and shown == "ACTIVE" else shown


def cluster_shape(
    cluster: eks.Cluster, status: eks.ClusterStatus | None, *, updating: bool
) -> dict[str, Any]:
    """A `Cluster`; what is not known yet is left out."""
    return {
        "name": cluster.name,
        "arn": cluster.arn,
        "createdAt": cluster.created_at,
        "version": running_version(cluster, status),
        "roleArn": cluster.role_arn,
        "status": status_shown(cluster, status, updating=updating),
        "resourcesVpcConfig": _network(cluster, status),
        "kubernetesNetworkConfig": {
            "serviceIpv4Cidr": cluster.service_cidr,
            "ipFamily": "ipv4",
            "elasticLoadBalancing": {"enabled": False},
        },
        "logging": logging_shape(cluster.log_types),
        "certificateAuthority": {},
        "tags": dict(cluster.tags),
        "accessConfig": {
            "bootstrapClusterCreatorAdminPermissions": cluster.bootstrap_admin,
            "authenticationMode": cluster.authentication_mode,
        },
        "upgradePolicy": {"supportType": cluster.support_type},
        "deletionProtection": cluster.deletion_protection,
        "controlPlaneScalingConfig": {"tier": "standard"},
        **_encryption(cluster),
        **(_become(status) if status is not None else {}),
    }


def _encryption(cluster: eks.Cluster) -> dict[str, Any]:
    if not cluster.encryption_key:
        return {}
    provider = {"keyArn": cluster.encryption_key}
    return {"encryptionConfig": [{"resources": ["secrets"], "provider": provider}]}


def _network(cluster: eks.Cluster, status: eks.ClusterStatus | None) -> dict[str, Any]:
    shape = {
        "subnetIds": list(cluster.subnets),
        "securityGroupIds": list(cluster.security_groups),
        "vpcId": cluster.vpc_id,
        "endpointPublicAccess": cluster.public_access,
        "endpointPrivateAccess": cluster.private_access,
        "publicAccessCidrs": list(cluster.public_cidrs),
        "controlPlaneEgressMode": "AWS_MANAGED",
    }
    if status is not None and status.security_group:
        shape["clusterSecurityGroupId"] = status.security_group
    return shape


def _become(status: eks.ClusterStatus) -> dict[str, Any]:
    """What the cluster's controller knows."""
    shape: dict[str, Any] = {"health": {"issues": [issue_shape(issue) for issue in status.issues]}}
    if status.endpoint:
        shape["endpoint"] = status.endpoint
    if status.authority:
        data = base64.b64encode(status.authority.encode()).decode()
        shape["certificateAuthority"] = {"data": data}
    if status.issuer:
        shape["identity"] = {"oidc": {"issuer": status.issuer}}
    if status.platform_version:
        shape["platformVersion"] = status.platform_version
    return shape


def issue_shape(issue: eks.Issue) -> dict[str, Any]:
    """A health issue of a cluster, or of a part of one."""
    return {"code": issue.code, "message": issue.message, "resourceIds": list(issue.resources)}
