"""Security groups for pods: the SecurityGroupPolicy of EKS, and which pods it means; pure.

("Assign security groups to individual Pods", EKS User Guide; the custom resource's schema is that
of AWS's VPC resource controller.)
"""

from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]
Labels = Mapping[str, str]
GROUP, VERSION, PLURAL = "vpcresources.k8s.aws", "v1beta1", "securitygrouppolicies"
RESOURCE = "vpc.amazonaws.com/pod-eni"
"""The extended resource of which a node has as many as it may have branch interfaces, and such a
pod one; and the annotation that says which interface the pod has."""
WAITS = "[]"
"""The annotation of a pod that is to have an interface, and has none yet."""
TRUNK_LABEL = "vpc.amazonaws.com/has-trunk-attached"
DEFINITION_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{PLURAL}.{GROUP}"
POLICIES = f"/apis/{GROUP}/{VERSION}/{PLURAL}"


def policies_path(namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"


def definition() -> dict[str, Any]:
    """The CustomResourceDefinition, as every cluster of EKS has it."""
    text = {"type": "string"}
    requirement = {
        "type": "object",
        "required": ["key", "operator"],
        "properties": {
            "key": text,
            "operator": text,
            "values": {"type": "array", "items": text},
        },
    }
    selector = {
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {"type": "object", "additionalProperties": text},
            "matchExpressions": {"type": "array", "items": requirement},
        },
    }
    groups = {"type": "array", "items": text, "minItems": 1, "maxItems": 16}
    spec = {
        "type": "object",
        "properties": {
            "podSelector": selector,
            "serviceAccountSelector": selector,
            "securityGroups": {"type": "object", "properties": {"groupIds": groups}},
        },
    }
    schema = {
        "type": "object",
        "description": "Which security groups pods have",
        "properties": {
            "apiVersion": text,
            "kind": text,
            "metadata": {"type": "object"},
            "spec": spec,
        },
    }
    column = {
        "name": "Security-Group-Ids",
        "type": "string",
        "jsonPath": ".spec.securityGroups.groupIds",
        "description": "The security groups of pods that this policy means",
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": "SecurityGroupPolicy",
                "listKind": "SecurityGroupPolicyList",
                "plural": PLURAL,
                "singular": "securitygrouppolicy",
                "shortNames": ["sgp"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "additionalPrinterColumns": [column],
                }
            ],
        },
    }


GUARD = f"eks-pod-eni.{GROUP}"
"""The name of the policy that keeps pods' annotations, and of its binding."""
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
GUARD_PATH = f"{ADMISSION}/validatingadmissionpolicies/{GUARD}"
GUARD_BINDING_PATH = f"{ADMISSION}/validatingadmissionpolicybindings/{GUARD}"


def guard() -> dict[str, Any]:
    """The ValidatingAdmissionPolicy by which EKS alone changes which interface a pod has.

    A pod whose annotation went before its network was made would have its node's groups. Whoever
    may do everything may do this, too, and is who EKS comes as.
    """
    own = "has({0}.metadata.annotations) && '{1}' in {0}.metadata.annotations"
    told = f"{own} ? {{0}}.metadata.annotations['{{1}}'] : ''"
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["pods", "pods/*"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": GUARD},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [
                {"name": "others", "expression": "!('system:masters' in request.userInfo.groups)"}
            ],
            "validations": [
                {
                    "expression": f"({told.format('object', RESOURCE)}) =="
                    f" ({told.format('oldObject', RESOURCE)})",
                    "message": f"the annotation {RESOURCE} is changed by Amazon EKS alone",
                    "reason": "Forbidden",
                }
            ],
        },
    }


def guard_binding() -> dict[str, Any]:
    """What puts the policy into force, everywhere."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": GUARD},
        "spec": {"policyName": GUARD, "validationActions": ["Deny"]},
    }


def groups_of(pod: Object, account_labels: Labels, policies: Iterable[Object]) -> tuple[str, ...]:
    """The ids of the groups that the policies give the pod, each once; empty where none means it.

    `account_labels` are those of the pod's service account, `policies` those of its namespace. Pods
    of the node's own network have no interface.
    """
    if (pod.get("spec") or {}).get("hostNetwork"):
        return ()
    labels = (pod.get("metadata") or {}).get("labels") or {}
    found: list[str] = []
    for policy in policies:
        spec = policy.get("spec") or {}
        if _means(spec, labels, account_labels):
            found += (spec.get("securityGroups") or {}).get("groupIds") or ()
    return tuple(dict.fromkeys(found))


def _means(spec: Object, labels: Labels, account_labels: Labels) -> bool:
    """Whether every selector that the policy has selects; one without any means nothing."""
    pods, accounts = spec.get("podSelector"), spec.get("serviceAccountSelector")
    if pods is None and accounts is None:
        return False
    return (pods is None or selects(pods, labels)) and (
        accounts is None or selects(accounts, account_labels)
    )


def selects(selector: Object, labels: Labels) -> bool:
    """Whether a LabelSelector selects what has these labels; one that cannot be read does not."""
    exact = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        _fulfils(each, labels) for each in selector.get("matchExpressions") or ()
    )


def _fulfils(requirement: Object, labels: Labels) -> bool:
    key, values = requirement.get("key", ""), requirement.get("values") or ()
    match requirement.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return bool(values) and labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False


def wants(pod: Object) -> bool:
    """Whether one of the pod's containers asks for an interface of the pod's own."""
    containers = (pod.get("spec") or {}).get("containers") or ()
    return any(
        RESOURCE in ((each.get("resources") or {}).get("limits") or {}) for each in containers
    )


def asking(pod: dict[str, Any]) -> dict[str, Any]:
    """The pod, asking for an interface of its own."""
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    first, *others = spec["containers"]
    resources = dict(first.get("resources") or {})
    for kind in ("limits", "requests"):
        resources[kind] = {**(resources.get(kind) or {}), RESOURCE: "1"}
    annotations = {**(metadata.get("annotations") or {}), RESOURCE: WAITS}
    return {
        **pod,
        "metadata": {**metadata, "annotations": annotations},
        "spec": {**spec, "containers": [{**first, "resources": resources}, *others]},
    }
