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
from longshore.components import locate, obtain
from longshore.components.file_systems import file_system_tools
from longshore.components.iptables import iptables
from longshore.components.libraries import with_libraries
from longshore.controllers.own_images import OwnImages
from longshore.images.contents import Contents

NODE = "longshore-node"
SBIN = "usr/sbin"
PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"


class AddonImages:
    """Has them in the registry; what they are made of is installed first, which may take its time.

    Raises `InstallFailed`, and LookupError where the machine lacks a program.
    """

    def __init__(self, images: OwnImages) -> None:
        self._images = images
        self._turn = asyncio.Lock()

    async def have(self, region: str, addon: Addon, version: AddonVersion) -> str:
        """The reference of the image of this version, which is in the registry when this returns.

        Another build of the same version is another image.
        """
        async with self._turn:
            contents = await asyncio.to_thread(_contents, addon, version)
        tag = f"{version.name}-{await asyncio.to_thread(contents.tag)}"
        return await self._images.have(region, f"eks/{addon.name}", tag, contents)


def _contents(addon: Addon, version: AddonVersion) -> Contents:
    if addon.name == "kube-proxy":
        minor = version.kubernetes[0]
        program = str(obtain(f"kube-{minor}"))
        files, links = iptables(SBIN)
        config: dict[str, list[str] | str] = {"Entrypoint": ["/kube", "kube-proxy"], "Env": [PATH]}
        return Contents(files={**files, "kube": program}, links=links, config=config)
    if addon.name == pod_identity_agent.NAME:
        program = str(obtain(NODE))
        return Contents(files={NODE: program}, config={"Entrypoint": pod_identity_agent.COMMAND})
    if addon.name == vpc_cni.ADDON:
        program = str(obtain(vpc_cni.PROGRAM))
        files = with_libraries(locate("nft").resolve())
        return Contents(
            files={**files, vpc_cni.PROGRAM: program},
            config={"Entrypoint": [f"/{vpc_cni.PROGRAM}"], "Env": [PATH]},
        )
    if addon.name == ebs_csi.ADDON:
        program = str(obtain(ebs_csi.PROGRAM))
        tools = file_system_tools()
        return Contents(
            files={**tools.files, ebs_csi.PROGRAM: program},
            links=tools.links,
            config={"Entrypoint": [f"/{ebs_csi.PROGRAM}"], "Env": [PATH]},
        )
    if addon.name == snapshot_controller.NAME:
        program = str(obtain(ebs_csi.PROGRAM))
        return Contents(files={ebs_csi.PROGRAM: program})
    program = str(obtain(addon.name))
    return Contents(files={addon.name: program}, config={"Entrypoint": [f"/{addon.name}"]})
