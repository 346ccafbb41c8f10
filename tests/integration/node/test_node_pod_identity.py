"""The EKS Pod Identity Agent on a played instance, asked from a pod."""

import contextlib
import json
import os
import signal
import subprocess

from integration.node.node_instance import API_ADDRESS, API_PORT, POD_TOKEN

from longshore.components import locate
from longshore.testing.wait import wait_until

CREDENTIALS = "http://169.254.170.23/v1/credentials"
SECONDS = 20


@contextlib.contextmanager
def agent(instance):
    """Runs as its DaemonSet has it: first the address, then the server."""
    begun = instance.node("pod-identity-agent", "initialize")
    assert begun.code == 0, begun.err
    again = instance.node("pod-identity-agent", "initialize")
    assert again.code == 0, again.err
    enter = ["nsenter", f"--net={instance.inside}", "--", locate("longshore-node")]
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": f"http://{API_ADDRESS}:{API_PORT}",
    }
    command = [*enter, "pod-identity-agent", "server", "--cluster-name=shop"]
    server = subprocess.Popen(command, env=environment)
    try:
        ready = ["curl", "--silent", "--fail", "http://localhost:2703/readyz"]
        wait_until(lambda: instance.run(*ready).code == 0, SECONDS, "the agent is ready")
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(SECONDS)


def ask(pod, token):
    """(status, body) as the pod is answered."""
    command = ["nsenter", f"--net={pod.namespace}", "--", "curl", "--silent", "--max-time", "10"]
    command += ["--write-out", "\n%{http_code}", CREDENTIALS]
    if token:
        command += ["--header", f"Authorization: {token}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_a_pod_gets_credentials_for_its_token_from_its_nodes_agent(instance, pod):
    one = pod()
    one.add()
    with agent(instance):
        status, body = ask(one, POD_TOKEN)
        assert (status, json.loads(body)) == (
            200,
            {
                "AccessKeyId": "ASIAPOD",
                "SecretAccessKey": "pod-secret",
                "Token": "pod-session",
                "AccountId": "111122223333",
                "Expiration": "2100-01-01T00:00:00Z",
            },
        )
        path = "/clusters/shop/assume-role-for-pod-identity"
        asked = [each for each in instance.calls if each["Action"] == path]
        assert asked == [{"Action": path, "token": POD_TOKEN}]
        assert ask(one, "another.pods.token") == (400, "InvalidTokenException: bad\n")
        assert ask(one, "")[0] == 400


def test_a_node_without_a_role_tells_pods_so(instance, pod):
    del instance.metadata["meta-data/iam/security-credentials/"]
    one = pod()
    instance.give(1)
    one.add()
    with agent(instance):
        status, body = ask(one, POD_TOKEN)
        assert status == 500
        assert "the instance has no role" in body
