package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

// direction is one of a pod's two: what it lets in, and where it may go.
type direction struct {
	kind networking.PolicyType
	// base is the chain that all packets of this direction pass.
	base string
	// near and far are the fields of a packet that have the pod's address and its peer's.
	near, far string
	// device is the field with the node's end of the pod's pair.
	device string
}

var (
	ingress = direction{networking.PolicyTypeIngress, "to-pods", "ip daddr", "ip saddr", "oifname"}
	egress  = direction{networking.PolicyTypeEgress, "from-pods", "ip saddr", "ip daddr", "iifname"}
	ways    = []direction{egress, ingress}
)

func (way direction) name() string { return strings.ToLower(string(way.kind)) }

// clause is a rule of either direction.
type clause struct {
	peers []networking.NetworkPolicyPeer
	ports []networking.NetworkPolicyPort
}

func clausesOf(policy *networking.NetworkPolicy, way direction) []clause {
	var found []clause
	if way == ingress {
		for _, each := range policy.Spec.Ingress {
			found = append(found, clause{each.From, each.Ports})
		}
	} else {
		for _, each := range policy.Spec.Egress {
			found = append(found, clause{each.To, each.Ports})
		}
	}
	return found
}

// Compile is the node's whole table for nft, which takes the place of the one before in one step.
//
// Strict is AWS's NETWORK_POLICY_ENFORCING_MODE: pods are closed until policies select them. Otherwise they
// are open until then, but addresses that nobody is known to have are closed for as long as a pod that
// policies select is still without one.
func Compile(cluster Cluster, node string, strict bool) string {
	found := indexOf(cluster)
	table := &table{closed: strict, waiting: strict}
	var own []pod
	for _, each := range found.pods {
		if each.Spec.NodeName != node {
			continue
		}
		if each.address.IsValid() {
			own = append(own, each)
		} else if each.DeletionTimestamp == nil && slices.ContainsFunc(found.policies, func(policy *networking.NetworkPolicy) bool {
			return selects(policy, each)
		}) {
			table.waiting = true
		}
	}
	for _, each := range own {
		table.known = append(table.known, addressSpan(each.address))
		table.isolate(found, each)
	}
	for _, key := range table.used {
		table.permit(found, own, key)
	}
	return table.text()
}

// permission is what one policy allows in one direction; it has a chain of its own.
type permission struct {
	policy int
	way    direction
}

func (key permission) chain() string { return fmt.Sprintf("%s-%d", key.way.name(), key.policy) }

// table collects what the table consists of.
type table struct {
	// closed says that pods without policies are closed, waiting that unknown addresses are.
	closed, waiting bool
	known           spans
	// verdicts leads pods' addresses to chains.
	verdicts map[string][]string
	used     []permission
	chains   []chain
	sets     []string
}

type chain struct {
	name  string
	rules []string
}

// isolate has the pod's packets checked, in the directions that policies close.
func (table *table) isolate(found index, own pod) {
	var selecting []int
	for number, policy := range found.policies {
		if selects(policy, own) {
			selecting = append(selecting, number)
		}
	}
	for _, way := range ways {
		var keys []permission
		for _, number := range selecting {
			if isolates(found.policies[number], way) {
				keys = append(keys, permission{number, way})
			}
		}
		if len(keys) > 0 || (table.closed && len(selecting) == 0) {
			table.lead(own, way, keys)
		}
	}
}

// lead has a chain for pods that the same policies isolate.
func (table *table) lead(own pod, way direction, keys []permission) {
	name, rules := "pods-"+way.name(), []string(nil)
	for _, key := range keys {
		name += fmt.Sprintf("-%d", key.policy)
		rules = append(rules, "jump "+key.chain())
		if !slices.Contains(table.used, key) {
			table.used = append(table.used, key)
		}
	}
	if !slices.ContainsFunc(table.chains, func(each chain) bool { return each.name == name }) {
		table.chains = append(table.chains, chain{name, append(rules, "drop")})
	}
	if table.verdicts == nil {
		table.verdicts = map[string][]string{}
	}
	element := fmt.Sprintf("%s : goto %s", own.address, name)
	table.verdicts[way.name()] = append(table.verdicts[way.name()], element)
}

// permit writes the chain of what a policy allows.
func (table *table) permit(found index, own []pod, key permission) {
	policy := found.policies[key.policy]
	made := chain{name: key.chain()}
	for number, each := range clausesOf(policy, key.way) {
		var peers []pod
		from := ""
		if len(each.peers) > 0 {
			var blocks spans
			peers, blocks = found.peers(policy, each.peers)
			for _, peer := range peers {
				blocks = append(blocks, addressSpan(peer.address))
			}
			if len(blocks) == 0 {
				continue
			}
			set := fmt.Sprintf("%s-%d", made.name, number)
			table.sets = append(table.sets, addressSet(set, blocks))
			from = fmt.Sprintf("%s @%s ", key.way.far, set)
		} else {
			peers = found.pods
		}
		// Names of ports are those of the pods that are spoken to.
		if key.way == ingress {
			peers = nil
			for _, candidate := range own {
				if selects(policy, candidate) {
					peers = append(peers, candidate)
				}
			}
		}
		for _, to := range portMatches(each.ports, peers) {
			made.rules = append(made.rules, from+to+"accept")
		}
	}
	table.chains = append(table.chains, made)
}

// numbers are protocols as IP has them: names would need a file to look them up in.
var numbers = map[core.Protocol]int{core.ProtocolTCP: 6, core.ProtocolUDP: 17, core.ProtocolSCTP: 132}

// portMatches are what packets to one of the ports have, each with a blank after it; for no ports one that
// all packets have.
func portMatches(ports []networking.NetworkPolicyPort, spokenTo []pod) []string {
	if len(ports) == 0 {
		return []string{""}
	}
	var found []string
	for _, protocol := range []core.Protocol{core.ProtocolTCP, core.ProtocolUDP, core.ProtocolSCTP} {
		var given spans
		var named []string
		for _, port := range ports {
			if port.Protocol != nil && *port.Protocol != protocol || port.Protocol == nil && protocol != core.ProtocolTCP {
				continue
			}
			given = append(given, numbered(port)...)
			named = append(named, namedPorts(port, protocol, spokenTo)...)
		}
		header := strings.ToLower(string(protocol))
		switch whole := (span{0, 65535}); {
		case slices.Contains(given, whole):
			found = append(found, fmt.Sprintf("meta l4proto %d ", numbers[protocol]))
			continue
		case len(given) > 0:
			found = append(found, fmt.Sprintf("%s dport { %s } ", header, given.listed(portText)))
		}
		if len(named) > 0 {
			slices.Sort(named)
			elements := strings.Join(slices.Compact(named), ", ")
			found = append(found, fmt.Sprintf("ip daddr . %s dport { %s } ", header, elements))
		}
	}
	return found
}

// numbered is the port, or all where none is said; nothing for a name.
func numbered(port networking.NetworkPolicyPort) spans {
	switch {
	case port.Port == nil:
		return spans{{0, 65535}}
	case port.Port.StrVal != "":
		return nil
	default:
		first := uint32(port.Port.IntVal)
		if port.EndPort != nil {
			return spans{{first, max(first, uint32(*port.EndPort))}}
		}
		return spans{{first, first}}
	}
}

// namedPorts are `address . port` of the pods that have a port of this name.
func namedPorts(port networking.NetworkPolicyPort, protocol core.Protocol, spokenTo []pod) []string {
	if port.Port == nil || port.Port.StrVal == "" {
		return nil
	}
	var found []string
	for _, candidate := range spokenTo {
		number, has := portNamed(candidate, port.Port.StrVal, cmp.Or(protocol, core.ProtocolTCP))
		if has && candidate.address.IsValid() {
			found = append(found, fmt.Sprintf("%s . %d", candidate.address, number))
		}
	}
	return found
}
