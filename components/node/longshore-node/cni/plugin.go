package cni

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"
	"github.com/containernetworking/plugins/pkg/ns"

	"longshore/components/node/longshore-node/imds"
)

const timeout = 50 * time.Second

type settings struct {
	types.NetConf
	Folder string `json:"folder"`
}

// Main answers the command that CNI_COMMAND names, and ends ("CNI Specification").
func Main() {
	skel.PluginMainFuncs(skel.CNIFuncs{
		Add:    add,
		Del:    del,
		Check:  check,
		GC:     collect,
		Status: func(*skel.CmdArgs) error { return nil },
	}, version.All, "longshore-cni: pods with addresses of the VPC")
}

func read(text []byte) (settings, error) {
	var found settings
	if err := json.Unmarshal(text, &found); err != nil {
		return found, fmt.Errorf("the network's configuration: %w", err)
	}
	if found.Folder == "" {
		found.Folder = Folder
	}
	return found, nil
}

// add holds the ledger to its end: a pair that is there belongs to whoever holds an address.
func add(arguments *skel.CmdArgs) error {
	network, err := read(arguments.StdinData)
	if err != nil {
		return err
	}
	pod, err := ns.GetNS(arguments.Netns)
	if err != nil {
		return err
	}
	defer pod.Close()
	ledger, err := openLedger(network.Folder)
	if err != nil {
		return err
	}
	defer ledger.close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	pool, err := openPool(ctx, imds.New(), ledger)
	if err != nil {
		return err
	}
	result, err := pool.attach(pod, arguments)
	if err != nil {
		return err
	}
	return types.PrintResult(result, network.CNIVersion)
}

func (pool *pool) attach(pod ns.NetNS, arguments *skel.CmdArgs) (*current.Result, error) {
	primary, err := primaryLink(pool.card.MAC)
	if err != nil {
		return nil, err
	}
	device := deviceName(arguments.ContainerID, arguments.IfName)
	pool.ledger.leaveAll(isThere, pool.now)
	if held := pool.ledger.of(arguments.ContainerID, arguments.IfName); held != "" {
		return nil, fmt.Errorf("container %s has %s already, with %s", arguments.ContainerID, arguments.IfName, held)
	}
	address, err := pool.take(holder{arguments.ContainerID, arguments.IfName, device})
	if err != nil {
		return nil, err
	}
	own, pods, err := connect(pod, device, arguments.IfName, address, primary.Attrs().MTU)
	if err != nil {
		pool.ledger.leave(address, pool.now)
		_ = pool.ledger.save()
		return nil, err
	}
	return &current.Result{
		CNIVersion: current.ImplementedSpecVersion,
		Interfaces: []*current.Interface{
			{Name: device, Mac: own.Attrs().HardwareAddr.String(), Mtu: own.Attrs().MTU},
			{Name: arguments.IfName, Mac: pods.Attrs().HardwareAddr.String(), Mtu: pods.Attrs().MTU, Sandbox: arguments.Netns},
		},
		IPs:    []*current.IPConfig{{Interface: current.Int(1), Address: *single(address), Gateway: gateway}},
		Routes: []*types.Route{{Dst: net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, GW: gateway}},
	}, nil
}

// del succeeds where there is nothing: it is called again for what is gone.
func del(arguments *skel.CmdArgs) error {
	network, err := read(arguments.StdinData)
	if err != nil {
		return err
	}
	ledger, err := openLedger(network.Folder)
	if err != nil {
		return err
	}
	defer ledger.close()
	discard(deviceName(arguments.ContainerID, arguments.IfName))
	address := ledger.of(arguments.ContainerID, arguments.IfName)
	if address == "" {
		return nil
	}
	ledger.leave(address, time.Now())
	return ledger.save()
}

func check(arguments *skel.CmdArgs) error {
	network, err := read(arguments.StdinData)
	if err != nil {
		return err
	}
	ledger, err := openLedger(network.Folder)
	if err != nil {
		return err
	}
	defer ledger.close()
	address := ledger.of(arguments.ContainerID, arguments.IfName)
	if address == "" {
		return fmt.Errorf("container %s holds no address", arguments.ContainerID)
	}
	if err := leads(deviceName(arguments.ContainerID, arguments.IfName), address); err != nil {
		return err
	}
	pod, err := ns.GetNS(arguments.Netns)
	if err != nil {
		return err
	}
	defer pod.Close()
	return pod.Do(func(ns.NetNS) error { return has(arguments.IfName, address) })
}

// collect gives up what nobody has any more, of those that the runtime knows.
func collect(arguments *skel.CmdArgs) error {
	network, err := read(arguments.StdinData)
	if err != nil {
		return err
	}
	ledger, err := openLedger(network.Folder)
	if err != nil {
		return err
	}
	defer ledger.close()
	valid := map[types.GCAttachment]bool{}
	for _, each := range network.ValidAttachments {
		valid[each] = true
	}
	for address, each := range ledger.Held {
		if !valid[types.GCAttachment{ContainerID: each.Container, IfName: each.Interface}] {
			discard(each.Device)
			ledger.leave(address, time.Now())
		}
	}
	return ledger.save()
}
