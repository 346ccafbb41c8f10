// Package rules makes the packet filter of one node of a cluster's NetworkPolicies ("Network
// Policies", Kubernetes documentation); pure.
package rules

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// Cluster is what there is, in any order.
type Cluster struct {
	// Given are addresses that the node has given to its pods, by their uids: it knows them before the API
	// server does.
	Given      map[types.UID]netip.Addr
	Pods       []*core.Pod
	Namespaces []*core.Namespace
	Policies   []*networking.NetworkPolicy
}

// pod is one that has, or is to have, an address of its own.
type pod struct {
	*core.Pod
	// address is invalid as long as there is none.
	address netip.Addr
}

// index is the cluster as it is asked of; ordered, so that the same cluster makes the same rules.
type index struct {
	pods       []pod
	namespaces map[string]labels.Set
	policies   []*networking.NetworkPolicy
}

func indexOf(cluster Cluster) index {
	found := index{namespaces: map[string]labels.Set{}, policies: slices.Clone(cluster.Policies)}
	for _, each := range cluster.Namespaces {
		found.namespaces[each.Name] = each.Labels
	}
	for _, each := range cluster.Pods {
		if each.Spec.HostNetwork || each.Status.Phase == core.PodSucceeded || each.Status.Phase == core.PodFailed {
			continue
		}
		address, known := cluster.Given[each.UID]
		if !known {
			address = addressOf(each)
		}
		found.pods = append(found.pods, pod{each, address})
	}
	slices.SortFunc(found.pods, func(one, other pod) int {
		return cmp.Or(one.address.Compare(other.address), byName(one.Pod, other.Pod))
	})
	slices.SortFunc(found.policies, byName[*networking.NetworkPolicy])
	return found
}

func byName[O meta.Object](one, other O) int {
	return cmp.Or(cmp.Compare(one.GetNamespace(), other.GetNamespace()), cmp.Compare(one.GetName(), other.GetName()))
}

// OwnInterface is what EKS writes on a pod that has security groups, and so an interface, of its own
// ("Security groups for pods").
const OwnInterface = "vpc.amazonaws.com/pod-eni"

func addressOf(found *core.Pod) netip.Addr {
	text := found.Status.PodIP
	var interfaces []struct {
		Address string `json:"privateIp"`
	}
	written := found.Annotations[OwnInterface]
	if text == "" && json.Unmarshal([]byte(written), &interfaces) == nil && len(interfaces) > 0 {
		text = interfaces[0].Address
	}
	address, err := netip.ParseAddr(text)
	if err != nil || !address.Is4() {
		return netip.Addr{}
	}
	return address
}

// selects says whether a policy is about a pod.
func selects(policy *networking.NetworkPolicy, candidate pod) bool {
	return policy.Namespace == candidate.Namespace && matches(&policy.Spec.PodSelector, candidate.Labels)
}

// matches says whether labels are chosen; what cannot be read chooses nothing.
func matches(selector *meta.LabelSelector, found labels.Set) bool {
	read, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && read.Matches(found)
}

// isolates says whether a policy closes a direction for its pods, but for what it allows: what it says
// itself, or else ingress, and egress where it has rules for it.
func isolates(policy *networking.NetworkPolicy, way direction) bool {
	if len(policy.Spec.PolicyTypes) == 0 {
		return way == ingress || len(policy.Spec.Egress) > 0
	}
	return slices.Contains(policy.Spec.PolicyTypes, way.kind)
}

// peers are the pods with addresses that a rule names, and further addresses.
func (found index) peers(policy *networking.NetworkPolicy, named []networking.NetworkPolicyPeer) ([]pod, spans) {
	var blocks spans
	var pods []pod
	for _, candidate := range found.pods {
		if candidate.address.IsValid() && slices.ContainsFunc(named, func(peer networking.NetworkPolicyPeer) bool {
			return found.isPeer(policy, peer, candidate)
		}) {
			pods = append(pods, candidate)
		}
	}
	for _, peer := range named {
		if peer.IPBlock == nil {
			continue
		}
		block, is4 := blockSpan(peer.IPBlock.CIDR)
		if !is4 {
			continue
		}
		var holes spans
		for _, except := range peer.IPBlock.Except {
			if hole, is4 := blockSpan(except); is4 {
				holes = append(holes, hole)
			}
		}
		blocks = append(blocks, spans{block}.without(holes)...)
	}
	return pods, blocks
}

func (found index) isPeer(policy *networking.NetworkPolicy, peer networking.NetworkPolicyPeer, candidate pod) bool {
	switch {
	case peer.PodSelector == nil && peer.NamespaceSelector == nil:
		return false
	case peer.NamespaceSelector == nil && candidate.Namespace != policy.Namespace:
		return false
	case peer.NamespaceSelector != nil && !matches(peer.NamespaceSelector, found.namespaces[candidate.Namespace]):
		return false
	default:
		return peer.PodSelector == nil || matches(peer.PodSelector, candidate.Labels)
	}
}

// portNamed is the number of a pod's port of this name and protocol.
func portNamed(candidate pod, name string, protocol core.Protocol) (uint32, bool) {
	containers := slices.Clone(candidate.Spec.Containers)
	for _, each := range candidate.Spec.InitContainers {
		if each.RestartPolicy != nil && *each.RestartPolicy == core.ContainerRestartPolicyAlways {
			containers = append(containers, each)
		}
	}
	for _, container := range containers {
		for _, port := range container.Ports {
			if port.Name == name && cmp.Or(port.Protocol, core.ProtocolTCP) == protocol {
				return uint32(port.ContainerPort), true
			}
		}
	}
	return 0, false
}
