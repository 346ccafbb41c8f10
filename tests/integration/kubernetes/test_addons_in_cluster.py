"""Add-ons in a real cluster: what upstream's API server takes, and whose fields are whose."""

import json

import msgspec
import pytest
from integration.kubernetes.cloud_beside import ACCOUNT, REGION, Cloud

from longshore.addons import ADDONS, Settings
from longshore.addons.ebs_csi import first_class
from longshore.addons.objects import path_of
from longshore.controllers.eks_addons import EksAddons, EksBootstrap, steps
from longshore.model import eks
from longshore.model.eks_parts import ADDON, ADDON_STATUS, Addon, part_name
from longshore.store.interface import Key

SYSTEM = "--namespace=kube-system"
IMAGE = "602401143452.dkr.ecr.us-east-1.longshore.internal:4568/eks/{}:v1"
COREFILE = '{"data":{"Corefile":".:53 { errors }"}}'


class Images:
    """In the place of `AddonImages`: references, without the images."""

    async def have(self, region, addon, version):
        return IMAGE.format(addon.name)


class Addons(Cloud):
    """Managed add-ons of the cluster, and those that it begins with."""

    def bootstrap(self):
        return self.reconcile(lambda around, clients: EksBootstrap(around, clients, Images()))

    def look(self, name):
        key = Key(ADDON.name, ACCOUNT, REGION, part_name("shop", name))
        return self.reconcile(lambda around, clients: EksAddons(around, clients, Images()), key)

    def create(self, name, **fields):
        version = ADDONS[name].version_for(self.plane.minor).name
        addon = Addon(
            cluster="shop",
            name=name,
            arn="arn",
            id=self.ids.uuid(),
            version=version,
            created_at=self.clock.now(),
            modified_at=self.clock.now(),
            **fields,
        )
        self.put(ADDON, part_name("shop", name), addon)
        self.look(name)
        return self.status(name)

    def update(self, name, **fields):
        self.clock.advance(1)
        self.change(ADDON, part_name("shop", name), modified_at=self.clock.now(), **fields)
        update = eks.Update(
            cluster="shop", addon=name, id="1", type="AddonUpdate", params=(), created_at=0.0
        )
        self.put(eks.UPDATE, eks.update_name("shop", "1"), update)
        self.look(name)
        return self.status(name)

    def delete(self, name, **fields):
        self.change(ADDON, part_name("shop", name), deleted_at=self.clock.now(), **fields)
        self.look(name)
        assert self.get(ADDON, part_name("shop", name)) is None
        assert self.get(ADDON_STATUS, part_name("shop", name)) is None

    def status(self, name):
        return self.get(ADDON_STATUS, part_name("shop", name))

    def ended_update(self):
        return self.get(eks.UPDATE, eks.update_name("shop", "1"))

    def corefile(self):
        found = self.plane.kubectl("get", "configmap", "coredns", SYSTEM)
        return found["data"]["Corefile"]

    def edit_corefile(self):
        """As somebody does with kubectl."""
        self.plane.run("patch", "configmap", "coredns", SYSTEM, f"--patch={COREFILE}")

    def missing(self, *what):
        told = self.plane.run("get", *what, SYSTEM, check=False)
        return "NotFound" in told.stderr


@pytest.fixture
def addons(shared_plane, tmp_path):
    found = Addons(shared_plane, tmp_path)
    yield found
    settings = Settings(image="x", endpoint="x", service_cidr=shared_plane.plane.service_cidr)
    objects = [each for one in ADDONS.values() for each in one.objects(settings, {})]
    objects.append(first_class())
    found.delete_paths([path_of(each) for each in objects])
    found.close()


def test_a_new_cluster_has_what_pods_need_which_is_its_owners_from_then_on(addons):
    addons.bootstrap()
    proxy = addons.plane.kubectl("get", "daemonset", "kube-proxy", SYSTEM)
    assert proxy["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE.format("kube-proxy")
    assert not addons.missing("daemonset", "aws-node")
    service = addons.plane.kubectl("get", "service", "kube-dns", SYSTEM)
    assert service["spec"]["clusterIP"] == "172.20.0.10"
    assert addons.get(eks.CLUSTER_STATUS, "shop").bootstrapped
    assert default_classes(addons) == ["gp2"]
    addons.plane.run("delete", "deployment", "coredns", SYSTEM)
    addons.plane.run("delete", "storageclass", "gp2")
    addons.bootstrap()
    assert default_classes(addons) == []
    assert addons.missing("deployment", "coredns")


def default_classes(addons):
    """StorageClasses that claims have which name none."""
    found = addons.plane.kubectl("get", "storageclasses")["items"]
    marked = "storageclass.kubernetes.io/is-default-class"
    return [
        each["metadata"]["name"]
        for each in found
        if each["metadata"].get("annotations", {}).get(marked) == "true"
    ]


def test_a_cluster_that_is_to_begin_with_nothing_has_nothing_but_a_storage_class(addons):
    addons.change(eks.CLUSTER, "shop", self_managed_addons=False)
    addons.bootstrap()
    assert addons.missing("daemonset", "kube-proxy")
    assert default_classes(addons) == ["gp2"]


def test_snapshots_outlive_the_add_on_that_they_are_made_with(addons):
    addons.create("snapshot-controller")
    kind = ("crd", "volumesnapshots.snapshot.storage.k8s.io")
    addons.plane.run("wait", "/".join(kind), "--for=condition=established", "--timeout=30s")
    addons.delete("snapshot-controller")
    assert addons.missing("deployment", "snapshot-controller")
    assert not addons.missing(*kind)


def test_what_somebody_was_quicker_to_make_is_left_to_them(addons):
    addons.plane.run("create", "configmap", "coredns", SYSTEM, "--from-literal=Corefile=mine")
    addons.bootstrap()
    assert addons.corefile() == "mine"
    assert addons.get(eks.CLUSTER_STATUS, "shop").bootstrapped
    assert not addons.missing("deployment", "coredns")


def test_a_daemon_set_is_active_without_nodes_and_a_deployment_is_degraded(addons):
    assert addons.create("kube-proxy").status == "CREATING"
    wait_for_controllers(addons, "daemonset", "kube-proxy")
    addons.look("kube-proxy")
    assert addons.status("kube-proxy").status == "ACTIVE"
    addons.create("coredns")
    addons.look("coredns")
    assert addons.status("coredns").status == "CREATING"
    addons.clock.advance(steps.CREATE_SECONDS)
    addons.look("coredns")
    shown = addons.status("coredns")
    assert shown.status == "DEGRADED"
    assert [issue.code for issue in shown.issues] == ["InsufficientNumberOfReplicas"]
    addons.plane.run("scale", "deployment", "coredns", SYSTEM, "--replicas=0")
    wait_for_controllers(addons, "deployment", "coredns")
    addons.look("coredns")
    assert addons.status("coredns").status == "ACTIVE"


def wait_for_controllers(addons, kind, name):
    """Until the controller manager has seen the newest of it."""
    generation = addons.plane.kubectl("get", kind, name, SYSTEM)["metadata"]["generation"]
    seen = f"--for=jsonpath={{.status.observedGeneration}}={generation}"
    addons.plane.run("wait", f"{kind}/{name}", SYSTEM, seen, "--timeout=30s")


def test_a_managed_add_on_takes_over_a_self_managed_one_that_is_as_it_was(addons):
    addons.bootstrap()
    status = addons.create("coredns")
    assert (status.status, status.issues) == ("CREATING", ())


@pytest.mark.parametrize("mode", ["NONE", "PRESERVE"])
def test_what_others_have_changed_stands_in_the_way_of_a_new_add_on(addons, mode):
    addons.bootstrap()
    addons.edit_corefile()
    status = addons.create("coredns", resolve_conflicts=mode)
    assert status.status == "CREATE_FAILED"
    (issue,) = status.issues
    assert issue.code == "ConfigurationConflict"
    assert issue.message == (
        "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode."
        " Conflicts:\nConfigMap coredns - .data.Corefile"
    )
    assert "errors" in addons.corefile()
    assert addons.look("coredns") is None


def test_what_others_have_changed_is_overwritten_where_that_is_asked_for(addons):
    addons.bootstrap()
    addons.edit_corefile()
    assert addons.create("coredns", resolve_conflicts="OVERWRITE").status == "CREATING"
    assert "loadbalance" in addons.corefile()


def test_an_update_fails_overwrites_or_preserves_as_it_is_told(addons):
    addons.create("coredns", configuration_values='{"replicaCount": 0}')
    wait_for_controllers(addons, "deployment", "coredns")
    addons.look("coredns")
    assert addons.status("coredns").status == "ACTIVE"
    addons.edit_corefile()
    labels = '{"replicaCount": 0, "podLabels": {"team": "a"}}'
    status = addons.update("coredns", configuration_values=labels, resolve_conflicts="NONE")
    assert status.status == "UPDATE_FAILED"
    ended = addons.ended_update()
    assert (ended.status, ended.errors[0].code) == ("Failed", "ConfigurationConflict")
    assert pod_labels(addons).get("team") is None
    addons.update("coredns", resolve_conflicts="PRESERVE")
    wait_for_controllers(addons, "deployment", "coredns")
    addons.look("coredns")
    assert addons.ended_update().status == "Successful"
    assert pod_labels(addons)["team"] == "a"
    assert "loadbalance" not in addons.corefile()
    addons.update("coredns", resolve_conflicts="OVERWRITE")
    assert "loadbalance" in addons.corefile()


def pod_labels(addons):
    found = addons.plane.kubectl("get", "deployment", "coredns", SYSTEM)
    return found["spec"]["template"]["metadata"]["labels"]


def test_a_configuration_that_is_taken_back_is_gone_from_the_cluster(addons):
    addons.create("coredns", configuration_values='{"nodeSelector": {"pool": "system"}}')
    addons.update("coredns", configuration_values="{}")
    found = addons.plane.kubectl("get", "deployment", "coredns", SYSTEM)
    assert "nodeSelector" not in found["spec"]["template"]["spec"]


def test_what_the_api_server_takes_in_no_case_fails_with_its_words(addons):
    lots = '{"resources": {"limits": {"memory": "lots"}}}'
    status = addons.create("coredns", configuration_values=lots)
    assert status.status == "CREATE_FAILED"
    assert "quantities must match" in status.issues[0].message
    assert addons.missing("deployment", "coredns")


def test_a_deleted_add_on_is_gone_unless_it_is_to_be_preserved(addons):
    for preserve in (True, False):
        addons.create("coredns", resolve_conflicts="OVERWRITE")
        addons.create("metrics-server")
        for name in ("coredns", "metrics-server"):
            addons.delete(name, preserve=preserve)
        for kind in ("deployment", "serviceaccount", "poddisruptionbudget"):
            assert addons.missing(kind, "coredns") is not preserve
            assert addons.missing(kind, "metrics-server") is not preserve


EVERYTHING = {
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]
            }
        }
    },
    "nodeSelector": {"pool": "system"},
    "podAnnotations": {"note": "b"},
    "podLabels": {"team": "a"},
    "resources": {"limits": {"memory": "200Mi"}, "requests": {"cpu": "50m"}},
    "tolerations": [{"key": "only", "operator": "Exists", "effect": "NoSchedule"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "podDisruptionBudget": {"enabled": True, "minAvailable": 1},
    "corefile": ".:53 { errors }",
    "replicaCount": 3,
    "replicas": 3,
    "mode": "iptables",
    "priorityClassName": "system-node-critical",
    "defaultFsType": "ext3",
    "extraCreateMetadata": False,
    "extraVolumeTags": {"team": "a"},
    "volumeAttachLimit": 5,
    "enabled": True,
}


def everything(schema):
    """A value for each member of the schema, and for theirs."""
    known, values = schema.get("properties", {}), {}
    for name, member in known.items():
        value = EVERYTHING.get(name)
        if value is None:
            value = everything(member)
        elif isinstance(value, dict) and "properties" in member:
            value = {key: each for key, each in value.items() if key in member["properties"]}
        values[name] = value
    return values


@pytest.mark.parametrize("name", ADDONS)
def test_everything_that_can_be_configured_is_what_kubernetes_takes(addons, name):
    values = everything(ADDONS[name].schema)
    status = addons.create(name, configuration_values=json.dumps(values))
    assert (status.status, status.issues) == ("CREATING", ())


@pytest.mark.parametrize("name", ADDONS)
def test_no_field_of_an_add_on_is_unknown_to_kubernetes(addons, name):
    settings = Settings(
        image="x:1",
        endpoint="https://x",
        service_cidr=addons.plane.plane.service_cidr,
        role_arn="arn:aws:iam::123456789012:role/dns",
    )
    for each in ADDONS[name].objects(settings, {}):
        path = addons.plane._directory / "object.json"
        path.write_bytes(msgspec.json.encode(each))
        told = ("--server-side", "--dry-run=server", "--validate=strict", f"--filename={path}")
        addons.plane.run("apply", *told)
        assert path_of(each)
