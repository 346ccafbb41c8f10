package driver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"

	"longshore/components/ebs-csi/ebs-csi/cloud"
	"longshore/components/node/longshore-node/api"
)

const (
	available = "available"
	failed    = "error"
	attached  = "attached"
	// A device that was chosen is nobody else's for so long: EC2 shows it then.
	chosenFor = time.Minute
)

// Controller makes volumes and has them at instances; it keeps nothing that it could not ask again.
type Controller struct {
	csi.UnimplementedControllerServer
	cloud cloud.Cloud
	tags  map[string]string

	lock   sync.Mutex
	chosen map[string]time.Time
}

// NewController gives every volume and snapshot these tags.
func NewController(tags map[string]string) *Controller {
	return &Controller{tags: tags, chosen: map[string]time.Time{}}
}

// ControllerGetCapabilities tells what the controller can do.
func (controller *Controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_UNPUBLISH_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
		csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: kind}},
		})
	}
	return answer, nil
}

// CreateVolume has a volume of this name, and waits until it can be used.
func (controller *Controller) CreateVolume(ctx context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if request.GetName() == "" {
		return nil, refused(codes.InvalidArgument, "the volume's name is missing")
	}
	if err := checkCapabilities(request.GetVolumeCapabilities()); err != nil {
		return nil, err
	}
	wanted, err := wantedVolume(request, controller.tags)
	if err != nil {
		return nil, err
	}
	made, err := controller.cloud.CreateVolume(ctx, wanted)
	if err != nil {
		return nil, explained(err)
	}
	made, err = controller.cloud.Await(ctx, made.ID, func(volume *cloud.Volume) bool {
		return volume.Status != "creating"
	})
	switch {
	case err != nil:
		return nil, explained(err)
	case made != nil && made.Status == failed:
		// Under its name there would be this one for ever.
		if err := controller.cloud.DeleteVolume(ctx, made.ID); err != nil {
			return nil, explained(err)
		}
		return nil, refused(codes.Internal, "the volume could not be made")
	case made == nil || (made.Status != available && made.Status != "in-use"):
		return nil, refused(codes.Internal, "the volume could not be made")
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:      made.ID,
		CapacityBytes: made.Size * gib,
		VolumeContext: map[string]string{},
		ContentSource: request.GetVolumeContentSource(),
		AccessibleTopology: []*csi.Topology{
			{Segments: map[string]string{WellKnownZoneKey: made.Zone}},
		},
	}}, nil
}

// DeleteVolume has no such volume any more.
func (controller *Controller) DeleteVolume(ctx context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if request.GetVolumeId() == "" {
		return nil, refused(codes.InvalidArgument, "the volume's id is missing")
	}
	if err := controller.cloud.DeleteVolume(ctx, request.GetVolumeId()); err != nil {
		return nil, explained(err)
	}
	return &csi.DeleteVolumeResponse{}, nil
}

// ControllerPublishVolume has a volume at an instance; the answer says as which device.
func (controller *Controller) ControllerPublishVolume(ctx context.Context, request *csi.ControllerPublishVolumeRequest) (*csi.ControllerPublishVolumeResponse, error) {
	id, instance := request.GetVolumeId(), request.GetNodeId()
	if id == "" || instance == "" {
		return nil, refused(codes.InvalidArgument, "the volume or the node is missing")
	}
	if err := checkCapabilities([]*csi.VolumeCapability{request.GetVolumeCapability()}); err != nil {
		return nil, err
	}
	volume, err := controller.cloud.Volume(ctx, id)
	if err != nil {
		return nil, explained(err)
	}
	if volume == nil {
		return nil, refused(codes.NotFound, "there is no volume %s", id)
	}
	if volume.At(instance) == nil {
		device, err := controller.choose(ctx, instance)
		if err != nil {
			return nil, explained(err)
		}
		if err := controller.cloud.Attach(ctx, id, instance, device); err != nil {
			return nil, explained(err)
		}
	}
	volume, err = controller.cloud.Await(ctx, id, func(volume *cloud.Volume) bool {
		found := volume.At(instance)
		return found == nil || found.Status == attached
	})
	if err != nil {
		return nil, explained(err)
	}
	if volume == nil || volume.At(instance) == nil {
		return nil, refused(codes.Internal, "volume %s left %s again", id, instance)
	}
	return &csi.ControllerPublishVolumeResponse{
		PublishContext: map[string]string{deviceContext: volume.At(instance).Device},
	}, nil
}

// choose is a name of a device that nothing at the instance has, and nothing that is being attached.
func (controller *Controller) choose(ctx context.Context, instance string) (string, error) {
	taken, err := controller.cloud.Devices(ctx, instance)
	if err != nil {
		return "", err
	}
	controller.lock.Lock()
	defer controller.lock.Unlock()
	now := time.Now()
	for key, at := range controller.chosen {
		if now.Sub(at) > chosenFor {
			delete(controller.chosen, key)
		}
	}
	for _, device := range devices() {
		key := instance + device
		if _, found := controller.chosen[key]; !found && !slices.Contains(taken, device) {
			controller.chosen[key] = now
			return device, nil
		}
	}
	return "", refused(codes.ResourceExhausted, "%s has a volume at every device", instance)
}

// devices are the names that EC2 recommends for volumes of Kubernetes' ("Device names on Amazon EC2 instances").
func devices() []string {
	var found []string
	for first := 'a'; first <= 'd'; first++ {
		for second := 'a'; second <= 'x'; second++ {
			found = append(found, "/dev/xvd"+string(first)+string(second))
		}
	}
	return found
}

// ControllerUnpublishVolume has the volume at the instance no more; neither has to be there.
func (controller *Controller) ControllerUnpublishVolume(ctx context.Context, request *csi.ControllerUnpublishVolumeRequest) (*csi.ControllerUnpublishVolumeResponse, error) {
	id, instance := request.GetVolumeId(), request.GetNodeId()
	if id == "" || instance == "" {
		return nil, refused(codes.InvalidArgument, "the volume or the node is missing")
	}
	volume, err := controller.cloud.Volume(ctx, id)
	if err != nil {
		return nil, explained(err)
	}
	if volume == nil || volume.At(instance) == nil {
		return &csi.ControllerUnpublishVolumeResponse{}, nil
	}
	if err := controller.cloud.Detach(ctx, id, instance); err != nil {
		return nil, explained(err)
	}
	_, err = controller.cloud.Await(ctx, id, func(volume *cloud.Volume) bool {
		return volume.At(instance) == nil
	})
	if err != nil {
		return nil, explained(err)
	}
	return &csi.ControllerUnpublishVolumeResponse{}, nil
}

// ControllerExpandVolume makes a volume larger; its file system is the node's to grow.
func (controller *Controller) ControllerExpandVolume(ctx context.Context, request *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	id := request.GetVolumeId()
	if id == "" || request.GetCapacityRange() == nil {
		return nil, refused(codes.InvalidArgument, "the volume or its new size is missing")
	}
	size, err := sizeOf(request.GetCapacityRange(), 1)
	if err != nil {
		return nil, err
	}
	volume, err := controller.cloud.Volume(ctx, id)
	if err != nil {
		return nil, explained(err)
	}
	if volume == nil {
		return nil, refused(codes.NotFound, "there is no volume %s", id)
	}
	if volume.Size < size {
		if err := controller.cloud.Grow(ctx, id, size); err != nil {
			return nil, explained(err)
		}
	}
	return &csi.ControllerExpandVolumeResponse{
		CapacityBytes:         max(size, volume.Size) * gib,
		NodeExpansionRequired: request.GetVolumeCapability().GetBlock() == nil,
	}, nil
}

// ValidateVolumeCapabilities confirms what the volume can be used as.
func (controller *Controller) ValidateVolumeCapabilities(ctx context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if request.GetVolumeId() == "" || len(request.GetVolumeCapabilities()) == 0 {
		return nil, refused(codes.InvalidArgument, "the volume or its capabilities are missing")
	}
	volume, err := controller.cloud.Volume(ctx, request.GetVolumeId())
	if err != nil {
		return nil, explained(err)
	}
	if volume == nil {
		return nil, refused(codes.NotFound, "there is no volume %s", request.GetVolumeId())
	}
	answer := &csi.ValidateVolumeCapabilitiesResponse{}
	if checkCapabilities(request.GetVolumeCapabilities()) == nil {
		answer.Confirmed = &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
			VolumeCapabilities: request.GetVolumeCapabilities(),
		}
	}
	return answer, nil
}

// grpcCodes of EC2's errors; what is not among them may go away by itself.
var grpcCodes = map[string]codes.Code{
	"IdempotentParameterMismatch": codes.AlreadyExists,
	"InvalidInstanceID.NotFound":  codes.NotFound,
	"InvalidParameterCombination": codes.InvalidArgument,
	"InvalidParameterValue":       codes.InvalidArgument,
	"InvalidSnapshot.NotFound":    codes.NotFound,
	"InvalidVolume.NotFound":      codes.NotFound,
	"InvalidZone.NotFound":        codes.InvalidArgument,
	"UnknownVolumeType":           codes.InvalidArgument,
	"VolumeInUse":                 codes.FailedPrecondition,
	"VolumeLimitExceeded":         codes.ResourceExhausted,
	"AttachmentLimitExceeded":     codes.ResourceExhausted,
}

// explained is an error of EC2's with a code of gRPC's.
func explained(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return refused(codes.DeadlineExceeded, "EC2 is not done yet")
	}
	var failure *api.Error
	if errors.As(err, &failure) {
		code, known := grpcCodes[failure.Code]
		if !known {
			code = codes.Internal
		}
		return refused(code, "%v", failure)
	}
	return err
}
