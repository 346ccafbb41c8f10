package cni

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A pod with security groups of its own has an interface of its own: the cloud puts it into the
// node's namespace as vlan.eth.N, with its pod's uid and address for an alias and a table, 100 + N,
// that leads out by it ("Security groups for pods", Amazon VPC CNI plugin). Here the pod is connected
// to the node, as others are, and what comes from it leaves by that interface whatever it goes to,
// its node and its neighbours too, so that the groups are asked (the mode "strict").

const (
	// annotation is on pods that have an interface of their own, or wait for it.
	annotation   = "vpc.amazonaws.com/pod-eni"
	branchPrefix = "vlan.eth."
	firstTable   = 100
	// Priorities of rules: what comes by a branch's devices is led before what is the node's own.
	byDevicePriority, repliesPriority, localPriority = 10, 11, 20
	// branchWait is how long a pod waits here for its interface; the kubelet asks again.
	branchWait = 30 * time.Second
	branchLook = 50 * time.Millisecond
)

// podIdentity is the node's own address at which the EKS Pod Identity Agent answers pods.
var podIdentity = single("169.254.170.23")

type branch struct {
	link    netlink.Link
	number  int
	address string
}

func (branch branch) table() int { return firstTable + branch.number }

// awaitBranch waits until the node has the interface of the pod with this uid.
func awaitBranch(ctx context.Context, uid string) (branch, error) {
	ctx, cancel := context.WithTimeout(ctx, branchWait)
	defer cancel()
	for {
		found, err := findBranch(uid)
		if err != nil || found.link != nil {
			return found, err
		}
		select {
		case <-ctx.Done():
			return found, fmt.Errorf("the network interface of pod %s has not come", uid)
		case <-time.After(branchLook):
		}
	}
}

// findBranch gives one without a link where there is none.
func findBranch(uid string) (branch, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return branch{}, err
	}
	for _, link := range links {
		words := strings.Fields(link.Attrs().Alias)
		number, err := strconv.Atoi(strings.TrimPrefix(link.Attrs().Name, branchPrefix))
		if err == nil && len(words) == 3 && words[0] == "pod" && words[1] == uid {
			return branch{link, number, words[2]}, nil
		}
	}
	return branch{}, nil
}

// attachBranch connects a pod to its interface.
func attachBranch(pod ns.NetNS, container, inside, sandbox string, branch branch) (*current.Result, error) {
	device := deviceName(container, inside)
	if err := leadLocalLast(); err != nil {
		return nil, err
	}
	sweepBranches()
	own, pods, err := connect(pod, device, inside, branch.address, branch.link.Attrs().MTU, branch.table())
	if err != nil {
		return nil, err
	}
	if err := leadBranch(device, branch); err != nil {
		detachBranch(device)
		discard(device)
		return nil, err
	}
	return told(device, inside, sandbox, branch.address, own, pods), nil
}

// leadBranch has what comes from the pod leave by its interface, and what comes by that go to the pod.
func leadBranch(device string, branch branch) error {
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+device+"/rp_filter", []byte("2"), 0o644); err != nil {
		return err
	}
	// The agent answers from the node itself.
	past := &netlink.Route{Dst: podIdentity, Table: branch.table(), Type: unix.RTN_THROW}
	if err := netlink.RouteReplace(past); err != nil {
		return fmt.Errorf("route past table %d: %w", branch.table(), err)
	}
	for _, rule := range []*netlink.Rule{
		byDevice(branch.link.Attrs().Name, branch.table()), byDevice(device, branch.table()), replies(branch),
	} {
		if err := netlink.RuleAdd(rule); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("rule %s: %w", rule, err)
		}
	}
	return nil
}

func byDevice(device string, table int) *netlink.Rule {
	rule := netlink.NewRule()
	rule.Priority, rule.IifName, rule.Table, rule.Family = byDevicePriority, device, table, netlink.FAMILY_V4
	return rule
}

func replies(branch branch) *netlink.Rule {
	rule := netlink.NewRule()
	rule.Priority, rule.Table, rule.Family = repliesPriority, branch.table(), netlink.FAMILY_V4
	rule.Src, rule.Dst = podIdentity, single(branch.address)
	return rule
}

// leadLocalLast has rules that look at devices go before the node's own addresses, and packets that a
// socket of the node may be meant by go where the rules say.
func leadLocalLast() error {
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_early_demux", []byte("0"), 0o644); err != nil {
		return err
	}
	rule := netlink.NewRule()
	rule.Priority, rule.Table, rule.Family = localPriority, unix.RT_TABLE_LOCAL, netlink.FAMILY_V4
	if err := netlink.RuleAdd(rule); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("rule %s: %w", rule, err)
	}
	first := *rule
	first.Priority = 0
	if err := netlink.RuleDel(&first); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("rule %s: %w", &first, err)
	}
	return nil
}

// branchTable is the table that leads what comes from a pod's device; 0 where none does.
func branchTable(device string, rules []netlink.Rule) int {
	for _, rule := range rules {
		if rule.Priority == byDevicePriority && rule.IifName == device {
			return rule.Table
		}
	}
	return 0
}

// detachBranch removes the rules about a pod's device, if there are any; the interface stays.
func detachBranch(device string) {
	rules, err := netlink.RuleList(netlink.FAMILY_V4)
	table := branchTable(device, rules)
	if err != nil || table == 0 {
		return
	}
	_ = netlink.RuleDel(byDevice(device, table))
	for _, rule := range rules {
		others := rule.Table == table && strings.HasPrefix(rule.IifName, devicePrefix) && rule.IifName != device
		if others {
			// The pod's next sandbox is connected already.
			return
		}
	}
	for _, rule := range rules {
		if rule.Priority == repliesPriority && rule.Table == table {
			_ = netlink.RuleDel(&rule)
		}
	}
}

// sweepBranches removes rules about devices that are gone: their sandboxes ended while nobody told.
func sweepBranches() {
	rules, err := netlink.RuleList(netlink.FAMILY_V4)
	if err != nil {
		return
	}
	for _, rule := range rules {
		if rule.Priority == byDevicePriority && strings.HasPrefix(rule.IifName, devicePrefix) && !isThere(rule.IifName) {
			detachBranch(rule.IifName)
		}
	}
}

// tableOf is the node's table that leads to a pod's device.
func tableOf(device string) int {
	if rules, err := netlink.RuleList(netlink.FAMILY_V4); err == nil {
		if table := branchTable(device, rules); table != 0 {
			return table
		}
	}
	return unix.RT_TABLE_MAIN
}
