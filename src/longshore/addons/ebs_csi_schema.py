"""How the add-on aws-ebs-csi-driver can be configured: the members of EKS's schema that there is
something behind."""

from longshore.addons import schema

BOOLEAN: schema.Schema = {"type": "boolean"}
_WORKLOAD = {
    "affinity": schema.ANY_OBJECT,
    "nodeSelector": schema.TEXTS,
    "podAnnotations": schema.TEXTS,
    "podLabels": schema.TEXTS,
    "priorityClassName": schema.TEXT,
    "resources": schema.AMOUNTS,
    "tolerations": schema.LIST,
}
SCHEMA: schema.Schema = {
    "$schema": "http://json-schema.org/draft-06/schema#",
    **schema.an_object(
        {
            "controller": schema.an_object(
                {
                    **_WORKLOAD,
                    "defaultFsType": {"type": "string", "enum": ["ext3", "ext4"]},
                    "extraCreateMetadata": BOOLEAN,
                    "extraVolumeTags": schema.TEXTS,
                    "podDisruptionBudget": schema.an_object({"enabled": BOOLEAN}),
                    "replicaCount": {"type": "integer", "minimum": 1, "maximum": 1000},
                    "topologySpreadConstraints": schema.LIST,
                }
            ),
            "defaultStorageClass": schema.an_object({"enabled": BOOLEAN}),
            "node": schema.an_object(
                {**_WORKLOAD, "volumeAttachLimit": {"type": "integer", "minimum": 1}}
            ),
        },
        title="AwsEbsCsiDriver",
    ),
}
