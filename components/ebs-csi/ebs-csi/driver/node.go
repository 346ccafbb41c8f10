package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"k8s.io/klog/v2"
	"k8s.io/mount-utils"
	"k8s.io/utils/exec"

	"longshore/components/node/longshore-node/imds"
)

const (
	// deviceContext has the name of the device that ControllerPublishVolume chose.
	deviceContext = "devicePath"
	defaultFS     = "ext4"
	deviceWait    = 10 * time.Second
	directoryMode = 0o750
	fileMode      = 0o640
)

// fileSystems that the image has the programs of.
var fileSystems = []string{"ext3", "ext4"}

// Node mounts what is attached to this instance.
type Node struct {
	csi.UnimplementedNodeServer
	identity imds.Identity
	most     int64
	mounts   *mount.SafeFormatAndMount
}

// NewNode is of the instance with this identity, which may have so many volumes.
func NewNode(identity imds.Identity, most int64) *Node {
	return &Node{
		identity: identity,
		most:     most,
		mounts:   mount.NewSafeFormatAndMount(mount.New(""), exec.New()),
	}
}

// NodeGetCapabilities tells what the node can do.
func (node *Node) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	answer := &csi.NodeGetCapabilitiesResponse{}
	for _, kind := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME,
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
		csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.NodeServiceCapability{
			Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: kind}},
		})
	}
	return answer, nil
}

// NodeGetInfo tells which instance this is, and in which zone.
func (node *Node) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{
		NodeId:            node.identity.InstanceID,
		MaxVolumesPerNode: node.most,
		AccessibleTopology: &csi.Topology{Segments: map[string]string{
			ZoneKey: node.identity.Zone, WellKnownZoneKey: node.identity.Zone,
		}},
	}, nil
}

// NodeStageVolume mounts a device, which gets a file system if it has none.
func (node *Node) NodeStageVolume(ctx context.Context, request *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	target := request.GetStagingTargetPath()
	if request.GetVolumeId() == "" || target == "" {
		return nil, refused(codes.InvalidArgument, "the volume or the path is missing")
	}
	if err := checkCapabilities([]*csi.VolumeCapability{request.GetVolumeCapability()}); err != nil {
		return nil, err
	}
	device, err := found(ctx, request.GetPublishContext()[deviceContext])
	if err != nil {
		return nil, err
	}
	if request.GetVolumeCapability().GetBlock() != nil {
		return &csi.NodeStageVolumeResponse{}, nil
	}
	asked := request.GetVolumeCapability().GetMount()
	kind := asked.GetFsType()
	if kind == "" {
		kind = defaultFS
	}
	if !slices.Contains(fileSystems, kind) {
		return nil, refused(codes.InvalidArgument, "there is no file system %s: only %v", kind, fileSystems)
	}
	if err := node.mount(device, target, kind, asked.GetMountFlags()); err != nil {
		return nil, refused(codes.Internal, "%s at %s: %v", device, target, err)
	}
	return &csi.NodeStageVolumeResponse{}, nil
}

// mount has the device mounted there, with a file system as large as it is.
func (node *Node) mount(device, target, kind string, flags []string) error {
	if err := os.MkdirAll(target, directoryMode); err != nil {
		return err
	}
	mounted, err := node.mounts.IsMountPoint(target)
	if err != nil || mounted {
		return err
	}
	if err := node.grow(device, target); err != nil {
		return err
	}
	return node.mounts.FormatAndMount(device, target, kind, flags)
}

// grow makes a file system that is not mounted as large as its device: what began with a snapshot may be
// smaller, and what could not grow while it was used. Growing then takes a check first.
func (node *Node) grow(device, target string) error {
	kind, err := node.mounts.GetDiskFormat(device)
	if err != nil || !slices.Contains(fileSystems, kind) {
		return err
	}
	needed, err := node.isSmaller(device)
	if err != nil || !needed {
		return err
	}
	told, err := node.mounts.Exec.Command("e2fsck", "-f", "-p", device).CombinedOutput()
	var failure exec.ExitError
	// 1 says that errors were found, and corrected.
	if err != nil && !(errors.As(err, &failure) && failure.ExitStatus() == 1) {
		return fmt.Errorf("e2fsck: %w: %s", err, told)
	}
	_, err = mount.NewResizeFs(node.mounts.Exec).Resize(device, target)
	return err
}

// isSmaller tells whether the file system has fewer whole blocks than its device.
func (node *Node) isSmaller(device string) (bool, error) {
	size, err := deviceSize(device)
	if err != nil {
		return false, err
	}
	told, err := node.mounts.Exec.Command("dumpe2fs", "-h", device).CombinedOutput()
	if err != nil {
		return false, fmt.Errorf("dumpe2fs: %w: %s", err, told)
	}
	count, block, err := blocks(string(told))
	return err == nil && count < size/block, err
}

// blocks are the number and the size in bytes of a file system's blocks, of what dumpe2fs tells.
func blocks(told string) (count, size int64, err error) {
	for line := range strings.Lines(told) {
		name, value, _ := strings.Cut(line, ":")
		number, failure := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		switch {
		case name == "Block count":
			count, err = number, errors.Join(err, failure)
		case name == "Block size":
			size, err = number, errors.Join(err, failure)
		}
	}
	if err == nil && (count <= 0 || size <= 0) {
		err = errors.New("dumpe2fs tells no size")
	}
	return count, size, err
}

// found waits for a device that was attached a moment ago.
func found(ctx context.Context, device string) (string, error) {
	if filepath.Dir(device) != "/dev" {
		return "", refused(codes.InvalidArgument, "%q is no device", device)
	}
	ctx, cancel := context.WithTimeout(ctx, deviceWait)
	defer cancel()
	for {
		told, err := os.Stat(device)
		if err == nil && told.Mode()&os.ModeDevice != 0 && told.Mode()&os.ModeCharDevice == 0 {
			return device, nil
		}
		select {
		case <-ctx.Done():
			return "", refused(codes.Internal, "the device %s does not come", device)
		case <-time.After(time.Second / 5):
		}
	}
}

// NodeUnstageVolume has the device mounted no more.
func (node *Node) NodeUnstageVolume(_ context.Context, request *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	if request.GetVolumeId() == "" || request.GetStagingTargetPath() == "" {
		return nil, refused(codes.InvalidArgument, "the volume or the path is missing")
	}
	if err := node.clean(request.GetStagingTargetPath()); err != nil {
		return nil, err
	}
	return &csi.NodeUnstageVolumeResponse{}, nil
}

// NodePublishVolume gives a pod what is mounted, or the device itself.
func (node *Node) NodePublishVolume(ctx context.Context, request *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	target, source := request.GetTargetPath(), request.GetStagingTargetPath()
	if request.GetVolumeId() == "" || target == "" || source == "" {
		return nil, refused(codes.InvalidArgument, "the volume or a path is missing")
	}
	if err := checkCapabilities([]*csi.VolumeCapability{request.GetVolumeCapability()}); err != nil {
		return nil, err
	}
	make := makeDirectory
	if request.GetVolumeCapability().GetBlock() != nil {
		device, err := found(ctx, request.GetPublishContext()[deviceContext])
		if err != nil {
			return nil, err
		}
		source, make = device, makeFile
	}
	options := append([]string{"bind"}, request.GetVolumeCapability().GetMount().GetMountFlags()...)
	if request.GetReadonly() {
		options = append(options, "ro")
	}
	if err := node.bind(source, target, options, make); err != nil {
		return nil, refused(codes.Internal, "%s at %s: %v", source, target, err)
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

func (node *Node) bind(source, target string, options []string, make func(string) error) error {
	if err := make(target); err != nil {
		return err
	}
	mounted, err := node.mounts.IsMountPoint(target)
	if err != nil || mounted {
		return err
	}
	return node.mounts.Mount(source, target, "", options)
}

func makeDirectory(path string) error {
	return os.MkdirAll(path, directoryMode)
}

func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), directoryMode); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	return file.Close()
}

// NodeUnpublishVolume takes it from the pod.
func (node *Node) NodeUnpublishVolume(_ context.Context, request *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if request.GetVolumeId() == "" || request.GetTargetPath() == "" {
		return nil, refused(codes.InvalidArgument, "the volume or the path is missing")
	}
	if err := node.clean(request.GetTargetPath()); err != nil {
		return nil, err
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

func (node *Node) clean(path string) error {
	if err := mount.CleanupMountPoint(path, node.mounts, true); err != nil {
		return refused(codes.Internal, "%s: %v", path, err)
	}
	return nil
}

// NodeExpandVolume has the file system as large as its device.
func (node *Node) NodeExpandVolume(_ context.Context, request *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	path := request.GetVolumePath()
	if request.GetVolumeId() == "" || path == "" {
		return nil, refused(codes.InvalidArgument, "the volume or the path is missing")
	}
	if request.GetVolumeCapability().GetBlock() != nil {
		return &csi.NodeExpandVolumeResponse{}, nil
	}
	device, _, err := mount.GetDeviceNameFromMount(node.mounts, path)
	if err != nil || device == "" {
		return nil, refused(codes.NotFound, "nothing is mounted at %s: %v", path, err)
	}
	if _, err := mount.NewResizeFs(node.mounts.Exec).Resize(device, path); err != nil {
		return nil, refused(expansionCode(err), "%s: %v", device, err)
	}
	klog.InfoS("a file system has grown", "volume", request.GetVolumeId(), "device", device)
	return &csi.NodeExpandVolumeResponse{}, nil
}

// expansionCode tells apart what has to wait until the volume is not used: the kernel lets a mounted file
// system grow only for those who have CAP_SYS_RESOURCE, which root in a container of a container may lack.
func expansionCode(err error) codes.Code {
	if strings.Contains(err.Error(), "Permission denied to resize filesystem") {
		return codes.FailedPrecondition
	}
	return codes.Internal
}

// NodeGetVolumeStats tells how full a volume is; of a device only its size.
func (node *Node) NodeGetVolumeStats(_ context.Context, request *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	path := request.GetVolumePath()
	if request.GetVolumeId() == "" || path == "" {
		return nil, refused(codes.InvalidArgument, "the volume or the path is missing")
	}
	told, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, refused(codes.NotFound, "there is nothing at %s", path)
	}
	if err != nil {
		return nil, refused(codes.Internal, "%v", err)
	}
	if told.Mode()&os.ModeDevice != 0 {
		size, err := deviceSize(path)
		if err != nil {
			return nil, refused(codes.Internal, "%s: %v", path, err)
		}
		return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{{Unit: csi.VolumeUsage_BYTES, Total: size}}}, nil
	}
	var found unix.Statfs_t
	if err := unix.Statfs(path, &found); err != nil {
		return nil, refused(codes.Internal, "%s: %v", path, err)
	}
	block := int64(found.Bsize)
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{
		usage(csi.VolumeUsage_BYTES, int64(found.Blocks)*block, int64(found.Blocks-found.Bfree)*block, int64(found.Bavail)*block),
		usage(csi.VolumeUsage_INODES, int64(found.Files), int64(found.Files-found.Ffree), int64(found.Ffree)),
	}}, nil
}

func usage(unit csi.VolumeUsage_Unit, total, used, free int64) *csi.VolumeUsage {
	return &csi.VolumeUsage{Unit: unit, Total: total, Used: used, Available: free}
}

func deviceSize(path string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return file.Seek(0, 2)
}
