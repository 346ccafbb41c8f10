"""Platform versions of a control plane: it waits for its turn, goes on, and is taken back."""

import msgspec
import pytest
from unit.controllers.eks_cluster import test_eks_cluster as clusters
from unit.controllers.eks_cluster.test_eks_cluster import ACCOUNT, PLACE, REGION, SERVICE, SYSTEM

from longshore.controllers.eks_cluster import encryption, platforms
from longshore.controllers.eks_patches import EksPatches
from longshore.controllers.eks_patches.controller import ALL
from longshore.controllers.eks_patches.plan import PATCH_SECONDS, QUIET_SECONDS, RETRY_SECONDS
from longshore.model import ecs, eks
from longshore.model.eks_platforms import PATCH, PLATFORM

programs = clusters.programs


class World(clusters.World):
    """The cluster, and whose turn it is."""

    def __init__(self, directory):
        super().__init__(directory)
        self.patches = EksPatches(self.around)

    async def become_active(self):
        """One API server runs, and no other one."""
        await self.reconcile()
        task, _ = self.place()
        await self.reconcile()
        assert self.status.status == "ACTIVE"
        return task

    async def settle(self):
        while await self.patches.reconcile(ALL) == 0:
            pass

    def patch(self):
        return self.get(PATCH, *PLACE)

    def platform(self):
        return self.get(PLATFORM, eks.SYSTEM_ACCOUNT, "", "1.35")

    def label(self):
        """Of what is to run."""
        newest = self.service.deployments[-1].definition_arn
        name = ecs.definition_of_arn(newest)
        return platforms.platform_of(self.get(ecs.TASK_DEFINITION, *SYSTEM, name).document)

    def completed(self):
        """ECS keeps only the newest deployment of a service once it is through."""
        last = msgspec.structs.replace(self.service, deployments=self.service.deployments[-1:])
        self.store._run(lambda tx: tx.put(ecs.SERVICE, *SYSTEM, SERVICE, last), 1)

    def update(self, kind):
        update = eks.Update(
            cluster="shop", id="u-1", type=kind, params=(), created_at=self.clock.now()
        )
        name = eks.update_name("shop", "u-1")
        self.store._run(lambda tx: tx.put(eks.UPDATE, ACCOUNT, REGION, name, update), 1)


@pytest.fixture
def world(tmp_path, programs):
    return World(tmp_path)


@pytest.fixture
def patched(programs, tmp_path):
    """Longshore is started with another build."""

    def patch():
        programs["kube-1.35"] = tmp_path / "1.35.1-def" / "kube-1.35"

    return patch


async def test_a_new_cluster_is_of_the_newest_platform_version(world):
    await world.become_active()
    assert (world.status.platform_version, world.label()) == ("eks.1", "1.35-eks.1")
    await world.reconcile()
    assert world.platform().number == 1


async def test_a_control_plane_comes_to_the_next_one_when_it_is_its_turn(world, patched):
    old = await world.become_active()
    patched()
    await world.reconcile()
    await world.settle()
    assert (world.platform().number, world.label()) == (2, "1.35-eks.1")
    assert world.patch() is None
    world.clock.advance(QUIET_SECONDS)
    await world.settle()
    assert (world.patch().state, world.patch().platform) == ("ROLLING", "eks.2")
    await world.reconcile()
    assert world.label() == "1.35-eks.2"
    assert world.status.platform_version == "eks.1"
    world.place()
    world.change_task(old, last_status="STOPPED", desired_status="STOPPED")
    await world.reconcile()
    assert world.status.platform_version == "eks.2"
    await world.settle()
    assert world.patch().state == "DONE"


async def test_one_that_does_not_come_is_taken_back_and_tried_again_a_day_later(world, patched):
    old = await world.become_active()
    before = world.service.deployments
    patched()
    await world.reconcile()
    world.clock.advance(QUIET_SECONDS)
    await world.settle()
    await world.reconcile()
    new, _ = world.place("PENDING")
    world.clock.advance(PATCH_SECONDS)
    await world.settle()
    assert world.patch().state == "FAILED"
    await world.reconcile()
    # The very deployment that the task which serves is of.
    assert world.service.deployments[-1] == before[-1]
    assert (world.label(), len(world.service.deployments)) == ("1.35-eks.1", 2)
    world.change_task(new, last_status="STOPPED", desired_status="STOPPED")
    world.completed()
    await world.reconcile()
    assert (world.status.platform_version, world.status.status) == ("eks.1", "ACTIVE")
    assert world.task(old).desired_status == "RUNNING"
    await world.settle()
    assert world.label() == "1.35-eks.1"
    world.clock.advance(RETRY_SECONDS)
    await world.settle()
    await world.reconcile()
    assert world.label() == "1.35-eks.2"


async def test_what_is_around_a_control_plane_that_waits_goes_on(world, patched):
    await world.become_active()
    patched()
    world.update("EndpointAccessUpdate")
    world.change(public_cidrs=("203.0.113.0/24",))
    await world.reconcile()
    assert [rule.cidr for rule in world.endpoint_rules()] == ["203.0.113.0/24"]
    assert world.label() == "1.35-eks.1"
    done = world.get(eks.UPDATE, ACCOUNT, REGION, "shop/u-1")
    assert done.status == "Successful"


async def test_an_update_that_replaces_it_anyway_takes_the_newest_along(world, patched):
    await world.become_active()
    patched()
    world.update("VpcConfigUpdate")
    await world.reconcile()
    assert world.label() == "1.35-eks.2"


async def test_logs_that_go_on_or_off_take_no_patch_along(world, patched):
    await world.become_active()
    patched()
    world.update("LoggingUpdate")
    await world.reconcile()
    assert world.label() == "1.35-eks.1"
    assert world.get(eks.UPDATE, ACCOUNT, REGION, "shop/u-1").status == "Successful"


async def test_another_minor_version_waits_for_nobody(world):
    await world.become_active()
    world.ask_for_version("1.36")
    await world.reconcile()
    assert world.label() == "1.36-eks.1"


async def test_one_that_never_ran_does_not_wait(world, patched):
    await world.reconcile()
    patched()
    await world.reconcile()
    assert world.label() == "1.35-eks.2"


def test_what_control_planes_are_made_of_decides(monkeypatch):
    known = platforms.digest("1.35.4-abc", "3.6.5")
    assert platforms.digest("1.35.4-abc", "3.6.5") == known
    assert platforms.digest("1.35.5-abc", "3.6.5") != known
    assert platforms.digest("1.35.4-abc", "3.6.6") != known
    with monkeypatch.context() as patch:
        patch.setattr(platforms, "FORM", 99)
        assert platforms.digest.__wrapped__("1.35.4-abc", "3.6.5") != known
    with monkeypatch.context() as patch:
        patch.setattr(encryption, "SHARES", 1)
        assert platforms.digest.__wrapped__("1.35.4-abc", "3.6.5") != known
    shares = {**platforms.planes.SHARES, "kube-scheduler": 1}
    monkeypatch.setattr(platforms.planes, "SHARES", shares)
    assert platforms.digest.__wrapped__("1.35.4-abc", "3.6.5") != known


async def test_other_subnets_and_groups_are_had_by_another_api_server(world):
    await world.become_active()
    before = {eni.id for eni in world.interfaces()}
    world.update("VpcConfigUpdate")
    world.change(subnets=world.cluster.subnets[::-1], security_groups=("sg-more",))
    await world.reconcile()
    assert [eni.subnet_id for eni in world.interfaces()] == list(world.cluster.subnets)
    own = world.status.security_group
    assert {eni.security_groups for eni in world.interfaces()} == {(own, "sg-more")}
    assert not before & {eni.id for eni in world.interfaces()}
    revisions = [each.revision for each in world.definitions()]
    await world.reconcile()
    assert [each.revision for each in world.definitions()] == revisions
