package driver

import (
	"context"
	"errors"
	"path/filepath"

	"google.golang.org/grpc"
	"k8s.io/klog/v2"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// registrar makes the driver known to the kubelet, which finds its socket in the directory of plug-ins
// ("Plugin registration service", k8s.io/kubelet).
type registrar struct {
	registration.UnsafeRegistrationServer
	endpoint string
	failed   chan<- error
}

// Register answers the kubelet in this directory until it refuses the driver; endpoint is the driver's
// socket as the kubelet has it.
func Register(directory, endpoint string) error {
	socket, err := Listen(filepath.Join(directory, Name+"-reg.sock"))
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	server := grpc.NewServer()
	registration.RegisterRegistrationServer(server, &registrar{endpoint: endpoint, failed: failed})
	go func() { failed <- server.Serve(socket) }()
	return <-failed
}

func (own *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: Name, Endpoint: own.endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (own *registrar) NotifyRegistrationStatus(_ context.Context, told *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if told.GetPluginRegistered() {
		klog.InfoS("the kubelet has registered the driver")
	} else {
		// Whoever restarts the process tries again.
		own.failed <- errors.New("the kubelet refused the driver: " + told.GetError())
	}
	return &registration.RegistrationStatusResponse{}, nil
}
