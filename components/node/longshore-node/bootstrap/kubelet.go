package bootstrap

import (
	"fmt"

	"longshore/components/node/longshore-node/credentials"
)

const (
	authorityFile  = "/etc/kubernetes/pki/ca.crt"
	configFile     = "/etc/kubernetes/kubelet/config.json"
	argumentsFile  = "/etc/kubernetes/kubelet/arguments"
	kubeconfigFile = "/var/lib/kubelet/kubeconfig"
	providersFile  = "/etc/eks/image-credential-provider/config.json"
	runtimeSocket  = "/run/containerd/containerd.sock"
)

type object = map[string]any

// kubeletConfiguration is what EKS's nodes have, but for cgroups (an instance's own are v1 or v2, as
// its machine's, without systemd) and for what a disk that is the machine's asks for.
func (node node) kubeletConfiguration(dns string) object {
	base := object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"address":    "0.0.0.0",
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true, "cacheTTL": "2m0s"},
			"x509":      object{"clientCAFile": authorityFile},
		},
		"authorization": object{
			"mode":    "Webhook",
			"webhook": object{"cacheAuthorizedTTL": "5m0s", "cacheUnauthorizedTTL": "30s"},
		},
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               "/",
		"clusterDNS":               []string{dns},
		"clusterDomain":            "cluster.local",
		"containerRuntimeEndpoint": "unix://" + runtimeSocket,
		"evictionHard": object{
			"memory.available": "100Mi",
			// Not 10%: the disk is the machine's, and a tenth of it may be more than it has free.
			"nodefs.available":  "2Gi",
			"nodefs.inodesFree": "5%",
		},
		"failCgroupV1":        false,
		"failSwapOn":          false,
		"hairpinMode":         "hairpin-veth",
		"kubeReserved":        node.resources.kubeReserved(node.maxPods),
		"logging":             object{"verbosity": 2},
		"maxPods":             node.maxPods,
		"providerID":          fmt.Sprintf("aws:///%s/%s", node.identity.Zone, node.identity.InstanceID),
		"readOnlyPort":        0,
		"serializeImagePulls": false,
		"serverTLSBootstrap":  true,
	}
	if reserved := node.resources.systemReserved(); len(reserved) > 0 {
		base["systemReserved"] = reserved
	}
	return mergeObjects(base, node.config.Spec.Kubelet.Config)
}

// arguments are the kubelet's; what user data gives is said last, and so heard.
func (node node) arguments(binaries string) []string {
	return append([]string{
		"--config=" + configFile,
		"--kubeconfig=" + kubeconfigFile,
		"--hostname-override=" + node.name(),
		"--node-ip=" + node.identity.PrivateIP,
		"--node-labels=" + node.labels(),
		"--image-credential-provider-config=" + providersFile,
		"--image-credential-provider-bin-dir=" + binaries,
	}, node.config.Spec.Kubelet.Flags...)
}

func (node node) kubeconfig() object {
	cluster := node.config.Spec.Cluster
	return object{
		"apiVersion": "v1",
		"kind":       "Config",
		"clusters": []object{{"name": "kubernetes", "cluster": object{
			"certificate-authority": authorityFile,
			"server":                cluster.APIServerEndpoint,
		}}},
		"contexts": []object{{"name": "kubelet", "context": object{
			"cluster": "kubernetes", "user": "kubelet",
		}}},
		"current-context": "kubelet",
		"users": []object{{"name": "kubelet", "user": object{"exec": object{
			"apiVersion":      credentials.ExecVersion,
			"command":         node.program,
			"args":            []string{"token", "--cluster", cluster.Name, "--region", node.identity.Region},
			"interactiveMode": "Never",
		}}}},
	}
}

func (node node) imageProviders(name string) object {
	return object{
		"apiVersion": "kubelet.config.k8s.io/v1",
		"kind":       "CredentialProviderConfig",
		"providers": []object{{
			"name":                 name,
			"apiVersion":           credentials.ProviderVersion,
			"args":                 []string{"image-credentials"},
			"matchImages":          node.registries,
			"defaultCacheDuration": "1h0m0s",
		}},
	}
}
