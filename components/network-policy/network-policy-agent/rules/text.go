package rules

import (
	"fmt"
	"strings"
)

const (
	// Table is the only one that is ours.
	Table = "aws-network-policy"
	// devices are the node's ends of pods' pairs (longshore-node, cni).
	devices = `"eni*"`
)

// Removed has no table: all pods are open.
const Removed = "table ip " + Table + "\ndelete table ip " + Table + "\n"

func addressSet(name string, elements spans) string {
	return fmt.Sprintf("set %s {\ntype ipv4_addr\nflags interval\nelements = { %s }\n}\n",
		name, elements.listed(addressText))
}

// text is the table. Its hook is the forward one: what the node itself says to its pods, as the kubelet
// for its probes, and they to it, passes others. There a Service's address has become a pod's already,
// and sources are still the pods' own.
func (table *table) text() string {
	var out strings.Builder
	out.WriteString(Removed)
	fmt.Fprintf(&out, "table ip %s {\n", Table)
	if len(table.known) > 0 {
		out.WriteString(addressSet("known", table.known))
	}
	for _, set := range table.sets {
		out.WriteString(set)
	}
	for _, each := range table.chains {
		fmt.Fprintf(&out, "chain %s {\n%s\n}\n", each.name, strings.Join(each.rules, "\n"))
	}
	for priority, way := range ways {
		fmt.Fprintf(&out, "chain %s {\ntype filter hook forward priority %d; policy accept;\n", way.base, priority)
		// Only answers pass unseen: who began a connection is asked again with each packet, so that what is
		// forbidden ends even if it began before.
		out.WriteString("ct direction reply ct state established,related accept\nct state related accept\n")
		if way == egress {
			// A pod speaks from its own address alone; another's would be another's permissions.
			fmt.Fprintf(&out, "iifname %s fib saddr . iif oif missing drop\n", devices)
		}
		if elements := table.verdicts[way.name()]; len(elements) > 0 {
			table.writeSelf(&out)
			fmt.Fprintf(&out, "%s vmap { %s }\n", way.near, strings.Join(elements, ", "))
		}
		if table.waiting {
			unknown := ""
			if len(table.known) > 0 {
				unknown = way.near + " != @known "
			}
			fmt.Fprintf(&out, "%s %s %sdrop\n", way.device, devices, unknown)
		}
		out.WriteString("}\n")
	}
	out.WriteString("}\n")
	return out.String()
}

// writeSelf lets pods speak to themselves, through a Service: nothing forbids that.
func (table *table) writeSelf(out *strings.Builder) {
	var pairs []string
	for _, each := range table.known.joined() {
		for number := uint64(each.first); number <= uint64(each.last); number++ {
			address := addressText(uint32(number))
			pairs = append(pairs, address+" . "+address)
		}
	}
	fmt.Fprintf(out, "ip saddr . ip daddr { %s } accept\n", strings.Join(pairs, ", "))
}
