"""How vpc-cni can be configured: what of EKS's schema for it means something here.

("Update the Amazon VPC CNI", "Restrict Pod network traffic with Kubernetes network policies",
Amazon EKS User Guide.)
"""

from longshore.addons import schema

ENABLE_POD_ENI = "ENABLE_POD_ENI"
"""Whether pods may have interfaces of their own: `controllers/eks_pod_groups` looks for it in the
DaemonSet."""
ENFORCING_MODE = "NETWORK_POLICY_ENFORCING_MODE"
STANDARD = "standard"
BOOLEAN_TEXT: schema.Schema = {"type": "string", "enum": ["true", "false"]}
"""EKS's schema has `format: boolean` for it."""
SECONDS: schema.Schema = {"type": "integer", "minimum": 1}

SCHEMA: schema.Schema = {
    "$ref": "#/definitions/VpcCni",
    "$schema": "http://json-schema.org/draft-06/schema#",
    "definitions": {
        "Env": schema.an_object(
            {
                ENABLE_POD_ENI: BOOLEAN_TEXT,
                ENFORCING_MODE: {"type": "string", "enum": [STANDARD, "strict"]},
            },
            title="Env",
        ),
        "NodeAgent": schema.an_object({"resources": schema.AMOUNTS}, title="NodeAgent"),
        "VpcCni": schema.an_object(
            {
                "affinity": schema.ANY_OBJECT,
                "enableNetworkPolicy": BOOLEAN_TEXT,
                "env": {"$ref": "#/definitions/Env"},
                "livenessProbeTimeoutSeconds": SECONDS,
                "nodeAgent": {"$ref": "#/definitions/NodeAgent"},
                "nodeSelector": schema.TEXTS,
                "podAnnotations": schema.TEXTS,
                "podLabels": schema.TEXTS,
                "readinessProbeTimeoutSeconds": SECONDS,
                "tolerations": schema.LIST,
            },
            title="VpcCni",
        ),
    },
}
