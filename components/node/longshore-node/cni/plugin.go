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
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"longshore/components/node/longshore-node/imds"
)

const timeout = 50 * time.Second

type settings struct {
	types.NetConf
	Folder string `json:"folder"`
	// Most is how many pods fit on the node.
	Most          int `json:"most"`
	RuntimeConfig struct {
		Annotations map[string]string `json:"io.kubernetes.cri.pod-annotations"`
	} `json:"runtimeConfig"`
}

// podArguments is what containerd says of the pod; the name of a field is the argument's.
type podArguments struct {
	types.CommonArgs
	K8S_POD_UID types.UnmarshallableString
}

func podUID(arguments *skel.CmdArgs) (string, error) {
	given := podArguments{CommonArgs: types.CommonArgs{IgnoreUnknown: true}}
	if err := types.LoadArgs(arguments.Args, &given); err != nil {
		return "", err
	}
	return string(given.K8S_POD_UID), nil
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
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	connected := addAddress
	if _, found := network.RuntimeConfig.Annotations[annotation]; found {
		connected = addBranch
	}
	result, err := connected(ctx, network, pod, arguments)
	if err != nil {
		return err
	}
	return types.PrintResult(result, network.CNIVersion)
}

// addBranch gives the pod the interface of its own, which comes once it is bound to this node.
func addBranch(ctx context.Context, network settings, pod ns.NetNS, arguments *skel.CmdArgs) (*current.Result, error) {
	uid, err := podUID(arguments)
	if err != nil {
		return nil, err
	}
	branch, err := awaitBranch(ctx, uid)
	if err != nil {
		return nil, err
	}
	result, err := attachBranch(pod, arguments.ContainerID, arguments.IfName, arguments.Netns, branch)
	if err != nil {
		return nil, err
	}
	ledger, err := openLedger(network.Folder)
	if err != nil {
		return nil, err
	}
	defer ledger.close()
	device := deviceName(arguments.ContainerID, arguments.IfName)
	ledger.hold(branch.address, holder{arguments.ContainerID, arguments.IfName, device, uid}, ledger.Card.Secondary)
	return result, ledger.save()
}

// addAddress gives the pod an address of the node's interface. It holds the ledger to its end: a pair
// that is there belongs to whoever holds an address.
func addAddress(ctx context.Context, network settings, pod ns.NetNS, arguments *skel.CmdArgs) (*current.Result, error) {
	ledger, err := openLedger(network.Folder)
	if err != nil {
		return nil, err
	}
	defer ledger.close()
	pool, err := openPool(ctx, imds.New(), ledger, network.Most)
	if err != nil {
		return nil, err
	}
	result, err := pool.attach(pod, arguments)
	if err == nil && pool.isShort() {
		growBeside(network.Folder, pool.most)
	}
	return result, err
}

func (pool *pool) attach(pod ns.NetNS, arguments *skel.CmdArgs) (*current.Result, error) {
	primary, err := primaryLink(pool.ledger.Card.MAC)
	if err != nil {
		return nil, err
	}
	device := deviceName(arguments.ContainerID, arguments.IfName)
	pool.ledger.leaveAll(isThere, pool.now)
	if held := pool.ledger.of(arguments.ContainerID, arguments.IfName); held != "" {
		return nil, fmt.Errorf("container %s has %s already, with %s", arguments.ContainerID, arguments.IfName, held)
	}
	uid, err := podUID(arguments)
	if err != nil {
		return nil, err
	}
	address, err := pool.take(holder{arguments.ContainerID, arguments.IfName, device, uid})
	if err != nil {
		return nil, err
	}
	own, pods, err := connect(pod, device, arguments.IfName, address, primary.Attrs().MTU, unix.RT_TABLE_MAIN)
	if err != nil {
		pool.ledger.leave(address, pool.now)
		_ = pool.ledger.save()
		return nil, err
	}
	return told(device, arguments.IfName, arguments.Netns, address, own, pods), nil
}

// told is what the container runtime is answered.
func told(device, inside, sandbox, address string, own, pods netlink.Link) *current.Result {
	return &current.Result{
		CNIVersion: current.ImplementedSpecVersion,
		Interfaces: []*current.Interface{
			{Name: device, Mac: own.Attrs().HardwareAddr.String(), Mtu: own.Attrs().MTU},
			{Name: inside, Mac: pods.Attrs().HardwareAddr.String(), Mtu: pods.Attrs().MTU, Sandbox: sandbox},
		},
		IPs:    []*current.IPConfig{{Interface: current.Int(1), Address: *single(address), Gateway: gateway}},
		Routes: []*types.Route{{Dst: net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, GW: gateway}},
	}
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
	device := deviceName(arguments.ContainerID, arguments.IfName)
	discard(device)
	detachBranch(device)
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
	device := deviceName(arguments.ContainerID, arguments.IfName)
	address := ledger.of(arguments.ContainerID, arguments.IfName)
	if address == "" {
		return fmt.Errorf("container %s holds no address", arguments.ContainerID)
	}
	if err := leads(device, address, tableOf(device)); err != nil {
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
	sweepBranches()
	return ledger.save()
}
