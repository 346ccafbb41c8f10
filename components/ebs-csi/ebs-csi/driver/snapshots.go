package driver

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"longshore/components/ebs-csi/ebs-csi/cloud"
)

// CreateSnapshot begins a snapshot; the caller asks again until it is ready to use.
func (controller *Controller) CreateSnapshot(ctx context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	volume := request.GetSourceVolumeId()
	if request.GetName() == "" || volume == "" {
		return nil, refused(codes.InvalidArgument, "the snapshot's name or its volume is missing")
	}
	tags := map[string]string{Name + "/cluster": "true"}
	for key, value := range controller.tags {
		tags[key] = value
	}
	for key, value := range request.GetParameters() {
		name, known := metadataTags[key]
		if !known {
			return nil, refused(codes.InvalidArgument, "invalid parameter key %s for CreateSnapshot", key)
		}
		tags[name] = value
	}
	made, err := controller.cloud.CreateSnapshot(ctx, volume, request.GetName(), tags)
	if err != nil {
		return nil, explained(err)
	}
	switch {
	case made.Volume != volume:
		return nil, refused(codes.AlreadyExists, "snapshot %s is of %s", made.ID, made.Volume)
	case made.State == failed:
		// Under its name there would be this one for ever.
		if err := controller.cloud.DeleteSnapshot(ctx, made.ID); err != nil {
			return nil, explained(err)
		}
		return nil, refused(codes.Internal, "snapshot %s could not be made", made.ID)
	}
	return &csi.CreateSnapshotResponse{Snapshot: shown(made)}, nil
}

// DeleteSnapshot has no such snapshot any more.
func (controller *Controller) DeleteSnapshot(ctx context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	if request.GetSnapshotId() == "" {
		return nil, refused(codes.InvalidArgument, "the snapshot's id is missing")
	}
	if err := controller.cloud.DeleteSnapshot(ctx, request.GetSnapshotId()); err != nil {
		return nil, explained(err)
	}
	return &csi.DeleteSnapshotResponse{}, nil
}

// ListSnapshots finds one by its id, which is all that Kubernetes asks.
func (controller *Controller) ListSnapshots(ctx context.Context, request *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	if request.GetSnapshotId() == "" {
		return nil, refused(codes.Unimplemented, "snapshots are listed by their id alone")
	}
	found, err := controller.cloud.Snapshot(ctx, request.GetSnapshotId())
	if err != nil {
		return nil, explained(err)
	}
	answer := &csi.ListSnapshotsResponse{}
	if found != nil {
		answer.Entries = []*csi.ListSnapshotsResponse_Entry{{Snapshot: shown(found)}}
	}
	return answer, nil
}

func shown(found *cloud.Snapshot) *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId:     found.ID,
		SourceVolumeId: found.Volume,
		SizeBytes:      found.Size * gib,
		CreationTime:   timestamppb.New(found.Started),
		ReadyToUse:     found.State == "completed",
	}
}
