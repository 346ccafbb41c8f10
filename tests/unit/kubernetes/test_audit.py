"""What the audit policy has API servers write down, by the first rule that a request matches."""

import json
from fnmatch import fnmatchcase

import pytest

from longshore.kubernetes.audit import LONGEST_EVENT, audit_flags, audit_policy

POLICY = json.loads(audit_policy())


def level(verb="get", user="ann", groups=(), group="", resource="", namespace="", name="", path=""):
    """As "Auditing" of Kubernetes reads a policy."""

    def of_resource(rule):
        return any(
            each["group"] == group
            and resource in each.get("resources", (resource,))
            and name in each.get("resourceNames", (name,))
            for each in rule.get("resources", ())
        )

    def matches(rule):
        given = {"users": {user}, "userGroups": set(groups), "verbs": {verb}}
        given["namespaces"] = {namespace}
        if any(rule.get(key) and not set(rule[key]) & given[key] for key in given):
            return False
        if rule.get("nonResourceURLs"):
            return any(fnmatchcase(path, pattern) for pattern in rule["nonResourceURLs"])
        return of_resource(rule) if rule.get("resources") or rule.get("namespaces") else True

    return next(rule["level"] for rule in POLICY["rules"] if matches(rule))


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "update", "patch", "delete"])
@pytest.mark.parametrize("resource", ["secrets", "configmaps"])
def test_what_is_in_a_secret_is_never_written_down(verb, resource):
    assert level(verb, resource=resource, namespace="default") == "Metadata"


def test_tokens_are_never_written_down():
    reviews = {"group": "authentication.k8s.io", "resource": "tokenreviews"}
    assert level("create", **reviews) == "Metadata"
    assert level("create", resource="serviceaccounts/token") == "Request"


def test_changes_are_kept_with_their_bodies_and_reads_without_the_answer():
    assert level("create", group="apps", resource="deployments") == "RequestResponse"
    assert level("list", group="apps", resource="deployments") == "Request"
    assert level("create", group="example.com", resource="widgets") == "Metadata"
    changed = {"resource": "configmaps", "namespace": "kube-system", "name": "aws-auth"}
    assert level("update", **changed) == "RequestResponse"


def test_what_parts_of_the_cluster_do_all_the_time_is_left_out():
    assert level("watch", "system:kube-proxy", resource="services") == "None"
    assert level("get", "system:node:a", ("system:nodes",), resource="nodes") == "None"
    assert level("create", resource="events") == "None"
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        assert level(path=path) == "None"


def test_a_request_is_written_down_once_it_is_answered():
    assert POLICY["omitStages"] == ["RequestReceived"]


def test_an_event_fits_into_one_log_event():
    assert audit_flags("/etc")["audit-log-truncate-max-event-size"] == LONGEST_EVENT < 262_118
