// Command containerd-shim-runsc-v1 is gVisor's containerd shim for machines where nobody may lower
// an oom_score_adj (rootless and nested environments): it goes on where the kernel refuses that.
// Containers whose OCI specs name the same sandbox share one shim.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/sys"
	runsc "gvisor.dev/gvisor/pkg/shim/v1"
)

const (
	sandboxAnnotation = "io.kubernetes.cri.sandbox-id"
	addressFile       = "address"
	oomScore          = -999
)

// manager starts shims; everything else is gVisor's.
type manager struct {
	shim.Manager
}

func main() {
	holdLog()
	shim.Run(context.Background(), manager{runsc.NewShimManager("io.containerd.runsc.v1")})
}

// Start gives the address of the sandbox's shim, which it starts for the sandbox's first container.
func (m manager) Start(ctx context.Context, id string, opts shim.StartOpts) (shim.BootstrapParams, error) {
	params := shim.BootstrapParams{Version: 2, Protocol: "ttrpc"}
	group, err := sandbox(id)
	if err != nil {
		return params, err
	}
	if params.Address, err = shim.SocketAddress(ctx, opts.Address, group, opts.Debug); err != nil {
		return params, err
	}
	socket, err := shim.NewSocket(params.Address)
	if shim.SocketEaddrinuse(err) {
		if shim.CanConnect(params.Address) {
			return params, os.WriteFile(addressFile, []byte(params.Address), 0o644)
		}
		if err = shim.RemoveSocket(params.Address); err == nil {
			socket, err = shim.NewSocket(params.Address)
		}
	}
	if err != nil {
		return params, fmt.Errorf("shim socket: %w", err)
	}
	file, err := socket.File()
	if err != nil {
		return params, err
	}
	pid, err := launch(ctx, id, opts, file)
	if err == nil {
		err = record(pid, params.Address)
	}
	if err != nil {
		if pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = shim.RemoveSocket(params.Address)
	}
	return params, err
}

// sandbox names the sandbox that the container of this bundle (the working directory) belongs to.
func sandbox(id string) (string, error) {
	content, err := os.ReadFile("config.json")
	if err != nil {
		return "", err
	}
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(content, &spec); err != nil {
		return "", fmt.Errorf("config.json: %w", err)
	}
	if group, ok := spec.Annotations[sandboxAnnotation]; ok {
		return group, nil
	}
	return id, nil
}

// launch starts the shim that serves on socket, in a process group of its own.
func launch(ctx context.Context, id string, opts shim.StartOpts, socket *os.File) (int, error) {
	namespace, err := namespaces.NamespaceRequired(ctx)
	if err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	command := exec.Command(self, "-namespace", namespace, "-address", opts.Address, "-id", id)
	if opts.Debug {
		command.Args = append(command.Args, "-debug")
	}
	command.Env = append(os.Environ(), "GOMAXPROCS=2")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.ExtraFiles = []*os.File{socket}
	if err := command.Start(); err != nil {
		return 0, err
	}
	go func() { _ = command.Wait() }()
	return command.Process.Pid, nil
}

// record writes what containerd and a later shim read, and asks the kernel to spare the shim.
func record(pid int, address string) error {
	if err := shim.WritePidFile("shim.pid", pid); err != nil {
		return err
	}
	if err := os.WriteFile(addressFile, []byte(address), 0o644); err != nil {
		return err
	}
	// Nothing is logged: containerd reads the answer from the same stream.
	if err := sys.SetOOMScore(pid, oomScore); !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil
}
