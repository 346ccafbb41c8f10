// Package cni is a CNI plugin that gives each pod a secondary private address of the node's primary
// interface: pods are in the VPC, which leads their addresses to the node ("Amazon VPC CNI", EKS
// User Guide). The pod's traffic is routed through the node, by a veth pair.
package cni

const (
	// Name is that of the plugin's program, and its type in a network's configuration.
	Name = "longshore-cni"
	// ConfigurationFile is the network that the container runtime finds.
	ConfigurationFile = "/etc/cni/net.d/10-longshore.conflist"
	// Folder has who holds which address. It is in memory: pods' networks end with the boot, too.
	Folder = "/var/lib/cni/longshore"
)

// Configuration is the network of all pods, as many as most: this plugin, then host ports.
func Configuration(most int) map[string]any {
	return map[string]any{
		"cniVersion": "1.0.0",
		"name":       "longshore",
		"plugins": []map[string]any{
			{
				"type": Name, "folder": Folder, "most": most,
				"capabilities": map[string]bool{"io.kubernetes.cri.pod-annotations": true},
			},
			{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}, "snat": true},
		},
	}
}
