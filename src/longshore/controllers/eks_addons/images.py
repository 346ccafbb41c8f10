"""The images that the pods of add-ons are of, made of components."""

import asyncio

from longshore.addons import (
    Addon,
    AddonVersion,
    ebs_csi,
    pod_identity_agent,
    snapshot_controller,
    vpc_cni,
)
from longshore.base.installation import Installation
from longshore.components import ComponentMissing, component, install, locate
from longshore.components.file_systems import file_system_tools
from longshore.components.iptables import iptables
from longshore.components.libraries import with_libraries
from longshore.controllers.own_images import OwnImages
from longshore.images.contents import Contents
from longshore.model.eks import IMAGES_ACCOUNT

NODE = "longshore-node"
SBIN = "usr/sbin"
PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"


class AddonImages:
    """Has them in the registry; what they are made of is installed first, which may take its time.

    Raises `InstallFailed`, and LookupError where the machine lacks a program.
    """

    def __init__(self, installation: Installation, images: OwnImages) -> None:
        self._installation = installation
        self._images = images
        self._turn = asyncio.Lock()

    async def have(self, region: str, addon: Addon, version: AddonVersion) -> str:
        """The reference of the image of this version, which is in the registry when this returns.

        Another build of the same version is another image.
        """
        async with self._turn:
            contents = await asyncio.to_thread(_contents, addon, version)
        tag = f"{version.name}-{await asyncio.to_thread(contents.tag)}"
        repository = f"eks/{addon.name}"
        await self._images.have(region, repository, tag, contents)
        host = self._installation.registry_host(IMAGES_ACCOUNT, region)
        return f"{host}/{repository}:{tag}"


def _contents(addon: Addon, version: AddonVersion) -> Contents:
    if addon.name == "kube-proxy":
        minor = version.kubernetes[0]
        program = _program(f"kube-{minor}", f"kubernetes-{minor}")
        files, links = iptables(SBIN)
        config: dict[str, list[str] | str] = {"Entrypoint": ["/kube", "kube-proxy"], "Env": [PATH]}
        return Contents(files={**files, "kube": program}, links=links, config=config)
    if addon.name == pod_identity_agent.NAME:
        program = _program(NODE, "node")
        return Contents(files={NODE: program}, config={"Entrypoint": pod_identity_agent.COMMAND})
    if addon.name == vpc_cni.ADDON:
        program = _program(vpc_cni.PROGRAM, vpc_cni.COMPONENT)
        files = with_libraries(locate("nft").resolve())
        return Contents(
            files={**files, vpc_cni.PROGRAM: program},
            config={"Entrypoint": [f"/{vpc_cni.PROGRAM}"], "Env": [PATH]},
        )
    if addon.name == ebs_csi.ADDON:
        program = _program(ebs_csi.PROGRAM, ebs_csi.COMPONENT)
        tools = file_system_tools()
        return Contents(
            files={**tools.files, ebs_csi.PROGRAM: program},
            links=tools.links,
            config={"Entrypoint": [f"/{ebs_csi.PROGRAM}"], "Env": [PATH]},
        )
    if addon.name == snapshot_controller.NAME:
        program = _program(ebs_csi.PROGRAM, ebs_csi.COMPONENT)
        return Contents(files={ebs_csi.PROGRAM: program})
    program = _program(addon.name, addon.name)
    return Contents(files={addon.name: program}, config={"Entrypoint": [f"/{addon.name}"]})


def _program(name: str, component_name: str) -> str:
    """The path of a component's program; the component is installed where it is missing."""
    try:
        return str(locate(name).resolve())
    except ComponentMissing:
        install(component(component_name), lambda line: None)
        return str(locate(name).resolve())
