package bootstrap

import (
	"fmt"
	"strings"

	"longshore/components/node/longshore-node/imds"
)

// node is all that a kubelet's configuration is made of.
type node struct {
	identity  imds.Identity
	zoneID    string
	maxPods   int
	resources resources
	config    NodeConfig
	// program is the path of this program, registries the host names of ECR as the kubelet matches
	// them.
	program    string
	registries []string
}

// name is the instance's private DNS name, as EC2 has it.
func (node node) name() string {
	host := "ip-" + strings.ReplaceAll(node.identity.PrivateIP, ".", "-")
	if node.identity.Region == "us-east-1" {
		return host + ".ec2.internal"
	}
	return fmt.Sprintf("%s.%s.compute.internal", host, node.identity.Region)
}

// labels are those that a cloud provider would give, as far as a kubelet may give them itself.
func (node node) labels() string {
	labels := []string{
		"node.kubernetes.io/instance-type=" + node.identity.InstanceType,
		"topology.kubernetes.io/region=" + node.identity.Region,
		"topology.kubernetes.io/zone=" + node.identity.Zone,
	}
	if node.zoneID != "" {
		labels = append(labels, "topology.k8s.aws/zone-id="+node.zoneID)
	}
	return strings.Join(labels, ",")
}

const (
	// addressesOnPrimary is how many secondary addresses an interface may have, and pods so: they
	// are all on the primary interface ("IP addresses per network interface").
	addressesOnPrimary = 49
	// hostPods have no address of their own: kube-proxy and one more.
	hostPods = 2
)

// podsOf is EKS's formula of how many pods an instance type may have.
func podsOf(interfaces, addresses int) int {
	return min(interfaces*(addresses-1), addressesOnPrimary) + hostPods
}
