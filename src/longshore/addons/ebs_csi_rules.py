"""What the Amazon EBS CSI driver may do in its cluster.

(`deploy/kubernetes/rbac.yaml` of external-provisioner, -attacher and -resizer, and
`rbac-csi-snapshotter.yaml`; the names are those of the driver's chart.)
"""

from collections.abc import Mapping

from longshore.addons.objects import (
    Object,
    cluster_role,
    cluster_role_binding,
    role,
    role_binding,
    rule,
)

READ = "get list watch"
LEASES = "ebs-csi-leases-role"
_EVENTS = rule("core", "events", "list watch create update patch")
_STORAGE, _SNAPSHOTS = "storage.k8s.io", "snapshot.storage.k8s.io"
CONTROLLER_ROLES: Mapping[str, list[Object]] = {
    "ebs-external-provisioner-role": [
        rule("core", "persistentvolumes", f"{READ} create patch delete"),
        rule("core", "persistentvolumeclaims", f"{READ} update"),
        rule(_STORAGE, "storageclasses csinodes volumeattachments", READ),
        rule("core", "nodes", READ),
        rule(_SNAPSHOTS, "volumesnapshots", f"{READ} update"),
        rule(_SNAPSHOTS, "volumesnapshotcontents", "get list"),
        _EVENTS,
    ],
    "ebs-external-attacher-role": [
        rule("core", "persistentvolumes", f"{READ} update patch"),
        rule("core", "nodes", READ),
        rule(_STORAGE, "csinodes", READ),
        rule(_STORAGE, "volumeattachments", f"{READ} update patch"),
        rule(_STORAGE, "volumeattachments/status", "patch"),
    ],
    "ebs-external-resizer-role": [
        rule("core", "persistentvolumes", f"{READ} update patch"),
        rule("core", "persistentvolumeclaims", READ),
        rule("core", "persistentvolumeclaims/status", "update patch"),
        rule(_STORAGE, "storageclasses volumeattributesclasses", READ),
        rule("core", "pods", READ),
        _EVENTS,
    ],
    "ebs-external-snapshotter-role": [
        rule(_SNAPSHOTS, "volumesnapshotclasses", READ),
        rule(_SNAPSHOTS, "volumesnapshotcontents", f"{READ} update patch"),
        rule(_SNAPSHOTS, "volumesnapshotcontents/status", "update patch"),
        _EVENTS,
    ],
}


def controller_rules(labels: Mapping[str, str], account: str) -> list[Object]:
    """Roles and bindings of the controller's service account."""
    found = []
    for name, rules in CONTROLLER_ROLES.items():
        bound = f"{name.removesuffix('-role')}-binding".replace("ebs-external", "ebs-csi")
        found += [
            cluster_role(name, labels, rules),
            cluster_role_binding(bound, labels, name, account),
        ]
    leases = [rule("coordination.k8s.io", "leases", f"{READ} delete update create patch")]
    return [
        *found,
        role(LEASES, labels, leases),
        role_binding("ebs-csi-leases-rolebinding", labels, LEASES, account),
    ]
