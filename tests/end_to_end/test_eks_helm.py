"""helm, with a chart of the tests' own, whose image is in Longshore's ECR."""

import json
import subprocess
from pathlib import Path

import pytest
from end_to_end.kubectl import COMMAND_SECONDS

from longshore.components import locate
from longshore.testing.wait import wait_until

CHART = Path(__file__).parent / "charts" / "greeter"
NAMESPACE, RELEASE = "charts", "greeter"
WAITED = ("--wait", "--timeout=60s")
SHORT = ("--wait", "--timeout=8s")
GONE_SECONDS = 30


@pytest.fixture(scope="module")
def helm(farm, tmp_path_factory):
    """`helm ARGUMENTS`, with the kubeconfig that `aws eks update-kubeconfig` has written."""
    home = tmp_path_factory.mktemp("helm")
    own = {f"HELM_{each}_HOME": str(home / each) for each in ("CACHE", "CONFIG", "DATA")}
    program = [locate("helm"), f"--kubeconfig={farm.config}", f"--namespace={NAMESPACE}"]

    def run(*arguments, check=True):
        done = subprocess.run(
            [*program, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=2 * COMMAND_SECONDS,
            env=farm.env | own,
        )
        assert done.returncode == 0 or not check, done
        return done

    return run


def values(**given):
    return [f"--set-string={name}={value}" for name, value in given.items()]


def history(helm):
    told = json.loads(helm("history", RELEASE, "--output=json").stdout)
    return [(each["revision"], each["status"]) for each in told]


def greeters(farm):
    """The chart's pods."""
    named = f"--selector=app.kubernetes.io/instance={RELEASE}"
    return farm.read("get", "pods", f"--namespace={NAMESPACE}", named)["items"]


def images(farm):
    """Of the pods that serve."""
    found = [each for each in greeters(farm) if "deletionTimestamp" not in each["metadata"]]
    serving = [
        each
        for each in found
        for condition in each["status"].get("conditions", ())
        if (condition["type"], condition["status"]) == ("Ready", "True")
    ]
    return [each["spec"]["containers"][0]["image"] for each in serving]


def test_a_chart_is_installed_upgraded_rolled_back_and_uninstalled(farm, helm):
    image = values(image=farm.image)
    helm("install", RELEASE, CHART, "--create-namespace", *image, *WAITED)
    assert images(farm) == [farm.image]
    helm("test", RELEASE)

    helm(
        "upgrade", RELEASE, CHART, *image, *values(greeting="good day"), "--set=replicas=2", *WAITED
    )
    assert images(farm) == [farm.image] * 2
    helm("test", RELEASE)

    wrong = values(image=f"{farm.image}-none")
    failed = helm("upgrade", RELEASE, CHART, "--reuse-values", *wrong, *SHORT, check=False)
    assert failed.returncode != 0
    assert history(helm)[-1] == (3, "failed")
    assert images(farm) == [farm.image] * 2

    helm("rollback", RELEASE, "1", *WAITED)
    assert history(helm)[-1] == (4, "deployed")
    assert json.loads(helm("get", "values", RELEASE, "--output=json").stdout) == {
        "image": farm.image
    }
    helm("test", RELEASE)

    helm("uninstall", RELEASE, *WAITED)
    wait_until(lambda: not greeters(farm), GONE_SECONDS, "the chart's pods are gone")
    kinds = "deployments,services,configmaps,secrets"
    left = farm.read("get", kinds, f"--namespace={NAMESPACE}")["items"]
    assert {each["metadata"]["name"] for each in left} == {"kube-root-ca.crt"}


def test_a_chart_that_lacks_a_value_makes_nothing(farm, helm):
    refused = helm("install", "lacking", CHART, check=False)
    assert "image is the image that serves the page" in refused.stderr
    known = json.loads(helm("list", "--all", "--output=json").stdout)
    assert "lacking" not in {each["name"] for each in known}
