package cloud

import (
	"context"
	"net/url"
	"time"

	"longshore/components/node/longshore-node/api"
)

// Snapshot is of a volume; Size in GiB is the volume's, State pending, completed or error.
type Snapshot struct {
	ID      string    `xml:"snapshotId"`
	Volume  string    `xml:"volumeId"`
	Size    int64     `xml:"volumeSize"`
	State   string    `xml:"status"`
	Started time.Time `xml:"startTime"`
}

// NameTag has the name by which Kubernetes asked for a snapshot: CreateSnapshot takes no token.
const NameTag = "CSIVolumeSnapshotName"

// CreateSnapshot begins a snapshot of a volume, or gives the one of this name.
func (cloud *Cloud) CreateSnapshot(ctx context.Context, volume, name string, tags map[string]string) (*Snapshot, error) {
	found, err := cloud.snapshots(ctx, url.Values{
		"Filter.1.Name": {"tag:" + NameTag}, "Filter.1.Value.1": {name}, "Owner.1": {"self"},
	})
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return &found[0], nil
	}
	parameters := url.Values{"VolumeId": {volume}, "Description": {"Created by AWS EBS CSI driver for volume " + volume}}
	tagged := map[string]string{NameTag: name}
	for key, value := range tags {
		tagged[key] = value
	}
	tag(parameters, "snapshot", tagged)
	made := &Snapshot{}
	if err := cloud.call(ctx, "CreateSnapshot", parameters, made); err != nil {
		return nil, err
	}
	return made, nil
}

// Snapshot is one of this ID; nil where there is none.
func (cloud *Cloud) Snapshot(ctx context.Context, id string) (*Snapshot, error) {
	found, err := cloud.snapshots(ctx, url.Values{"SnapshotId.1": {id}})
	if api.HasCode(err, "InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed") {
		return nil, nil
	}
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// DeleteSnapshot has none of this ID.
func (cloud *Cloud) DeleteSnapshot(ctx context.Context, id string) error {
	err := cloud.call(ctx, "DeleteSnapshot", url.Values{"SnapshotId": {id}}, &struct{}{})
	if api.HasCode(err, "InvalidSnapshot.NotFound") {
		return nil
	}
	return err
}

func (cloud *Cloud) snapshots(ctx context.Context, parameters url.Values) ([]Snapshot, error) {
	var answer struct {
		Snapshots []Snapshot `xml:"snapshotSet>item"`
	}
	err := cloud.call(ctx, "DescribeSnapshots", parameters, &answer)
	return answer.Snapshots, err
}
