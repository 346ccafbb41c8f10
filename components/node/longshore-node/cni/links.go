package cni

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// gateway is nobody's address: pods send all to the node's end of their pair, whose MAC address they
// know without asking.
var gateway = net.IPv4(169, 254, 1, 1).To4()

// devicePrefix begins the names of the node's ends of pods' pairs.
const devicePrefix = "eni"

// deviceName is the node's end of a pod's pair.
func deviceName(container, device string) string {
	digest := sha256.Sum256([]byte(container + "/" + device))
	return devicePrefix + hex.EncodeToString(digest[:])[:11]
}

func single(address string) *net.IPNet {
	return &net.IPNet{IP: net.ParseIP(address).To4(), Mask: net.CIDRMask(32, 32)}
}

// primaryLink is the node's device with this MAC address.
func primaryLink(mac string) (netlink.Link, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		if strings.EqualFold(link.Attrs().HardwareAddr.String(), mac) {
			return link, nil
		}
	}
	return nil, fmt.Errorf("no network device has the primary interface's MAC address %s", mac)
}

// isThere says whether the node has a device of this name.
func isThere(name string) bool {
	_, err := netlink.LinkByName(name)
	return !errors.As(err, new(netlink.LinkNotFoundError))
}

// connect makes the pair, the pod's end of which has the address, and has a table of the node's lead
// to it.
func connect(pod ns.NetNS, device, inside, address string, mtu, table int) (own, pods netlink.Link, err error) {
	discard(device)
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.MTU = device, mtu
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: inside, PeerNamespace: netlink.NsFd(int(pod.Fd()))}
	if err := netlink.LinkAdd(pair); err != nil {
		return nil, nil, fmt.Errorf("veth %s: %w", device, err)
	}
	defer func() {
		if err != nil {
			discard(device)
		}
	}()
	if own, err = netlink.LinkByName(device); err != nil {
		return nil, nil, err
	}
	err = pod.Do(func(ns.NetNS) error {
		pods, err = configureInside(inside, address, own.Attrs().HardwareAddr)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if err = netlink.LinkSetUp(own); err != nil {
		return nil, nil, fmt.Errorf("veth %s: %w", device, err)
	}
	route := &netlink.Route{
		LinkIndex: own.Attrs().Index, Dst: single(address), Scope: netlink.SCOPE_LINK, Table: table,
	}
	if err = netlink.RouteReplace(route); err != nil {
		return nil, nil, fmt.Errorf("route to %s: %w", address, err)
	}
	return own, pods, nil
}

// configureInside works in the pod's namespace; nodes is the MAC address of the node's end.
func configureInside(inside, address string, nodes net.HardwareAddr) (netlink.Link, error) {
	link, err := netlink.LinkByName(inside)
	if err != nil {
		return nil, err
	}
	// Clusters have IPv4 alone.
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+inside+"/disable_ipv6", []byte("1"), 0o644)
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: single(address)}); err != nil {
		return nil, fmt.Errorf("address %s: %w", address, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, err
	}
	index := link.Attrs().Index
	known := &netlink.Neigh{
		LinkIndex: index, State: netlink.NUD_PERMANENT, Family: unix.AF_INET, IP: gateway, HardwareAddr: nodes,
	}
	if err := netlink.NeighSet(known); err != nil {
		return nil, fmt.Errorf("neighbour %s: %w", gateway, err)
	}
	for _, route := range []*netlink.Route{
		{LinkIndex: index, Scope: netlink.SCOPE_LINK, Dst: &net.IPNet{IP: gateway, Mask: net.CIDRMask(32, 32)}},
		{LinkIndex: index, Gw: gateway},
	} {
		if err := netlink.RouteReplace(route); err != nil {
			return nil, fmt.Errorf("the pod's routes: %w", err)
		}
	}
	return link, nil
}

// discard removes a pair, and the route with it, if it is there.
func discard(device string) {
	if link, err := netlink.LinkByName(device); err == nil {
		_ = netlink.LinkDel(link)
	}
}

// leads says whether a table of the node's leads an address to a device.
func leads(device, address string, table int) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return fmt.Errorf("the node's end %s: %w", device, err)
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4,
		&netlink.Route{LinkIndex: link.Attrs().Index, Dst: single(address), Table: table},
		netlink.RT_FILTER_OIF|netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
	if err != nil {
		return err
	}
	if len(routes) == 0 {
		return fmt.Errorf("the node does not lead %s to %s", address, device)
	}
	return nil
}

// has says whether the pod's end has the address; called in the pod's namespace.
func has(inside, address string) error {
	link, err := netlink.LinkByName(inside)
	if err != nil {
		return fmt.Errorf("the pod's end %s: %w", inside, err)
	}
	addresses, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, each := range addresses {
		if each.IP.String() == address {
			return nil
		}
	}
	return fmt.Errorf("the pod's %s has not got %s", inside, address)
}
