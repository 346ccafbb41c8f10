// Package driver is a CSI driver of EBS volumes (Container Storage Interface, spec.md), with the names,
// parameters and topology of the AWS EBS CSI driver.
package driver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"
)

const (
	// Name is the driver's in StorageClasses, volumes and VolumeSnapshotClasses.
	Name = "ebs.csi.aws.com"
	// ZoneKey is the driver's own key of topology, WellKnownZoneKey the one that volumes are told with.
	ZoneKey          = "topology." + Name + "/zone"
	WellKnownZoneKey = "topology.kubernetes.io/zone"
	gib              = int64(1) << 30
)

// Version is set when the program is linked.
var Version = "unknown"

// Listen is the driver's socket; what an earlier process left there goes.
func Listen(endpoint string) (net.Listener, error) {
	path := strings.TrimPrefix(strings.TrimPrefix(endpoint, "unix://"), "unix:")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}

// Serve answers on the socket with these services until it ends.
func Serve(socket net.Listener, register func(*grpc.Server)) error {
	server := grpc.NewServer(grpc.UnaryInterceptor(logged))
	csi.RegisterIdentityServer(server, identity{})
	register(server)
	return server.Serve(socket)
}

// logged tells of calls that fail.
func logged(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	answer, err := handle(ctx, request)
	if err != nil {
		klog.ErrorS(err, "a call failed", "method", info.FullMethod)
	}
	return answer, err
}

// ServeHealth answers probes of the kubelet.
func ServeHealth(address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(answer http.ResponseWriter, _ *http.Request) {
		answer.WriteHeader(http.StatusOK)
	})
	server := http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}

type identity struct {
	csi.UnimplementedIdentityServer
}

func (identity) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: Name, VendorVersion: Version}, nil
}

func (identity) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	answer := &csi.GetPluginCapabilitiesResponse{}
	for _, kind := range []csi.PluginCapability_Service_Type{
		csi.PluginCapability_Service_CONTROLLER_SERVICE,
		csi.PluginCapability_Service_VOLUME_ACCESSIBILITY_CONSTRAINTS,
	} {
		service := &csi.PluginCapability_Service{Type: kind}
		answer.Capabilities = append(answer.Capabilities, &csi.PluginCapability{
			Type: &csi.PluginCapability_Service_{Service: service},
		})
	}
	return answer, nil
}

func (identity) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func refused(code codes.Code, format string, values ...any) error {
	return status.Error(code, fmt.Sprintf(format, values...))
}
