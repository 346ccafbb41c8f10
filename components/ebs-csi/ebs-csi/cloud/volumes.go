// Package cloud is what the driver asks of EC2 (Amazon EC2 API Reference).
package cloud

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"longshore/components/node/longshore-node/api"
)

// Cloud calls EC2 as the pod's role.
type Cloud struct {
	own identity
}

// Attachment is a volume at an instance; Status is attaching, attached, detaching, busy or detached.
type Attachment struct {
	InstanceID string `xml:"instanceId"`
	Device     string `xml:"device"`
	Status     string `xml:"status"`
}

// Volume is an EBS volume; Size in GiB.
type Volume struct {
	ID          string       `xml:"volumeId"`
	Size        int64        `xml:"size"`
	Zone        string       `xml:"availabilityZone"`
	Status      string       `xml:"status"`
	Snapshot    string       `xml:"snapshotId"`
	Attachments []Attachment `xml:"attachmentSet>item"`
}

// At is the volume's attachment to an instance that is not over, if there is one.
func (volume *Volume) At(instance string) *Attachment {
	for position := range volume.Attachments {
		found := &volume.Attachments[position]
		if found.InstanceID == instance && found.Status != "detached" {
			return found
		}
	}
	return nil
}

// Wanted is a volume that is to be made. What is empty is EC2's own choice.
type Wanted struct {
	Token, Zone, Type, Snapshot, Key string
	Size, IOPS, Throughput           int64
	Encrypted                        bool
	Tags                             map[string]string
}

// CreateVolume makes a volume, or gives the one that the same token made.
func (cloud *Cloud) CreateVolume(ctx context.Context, wanted Wanted) (*Volume, error) {
	parameters := url.Values{"AvailabilityZone": {wanted.Zone}, "ClientToken": {wanted.Token}}
	for name, value := range map[string]string{
		"VolumeType": wanted.Type, "SnapshotId": wanted.Snapshot, "KmsKeyId": wanted.Key,
	} {
		if value != "" {
			parameters.Set(name, value)
		}
	}
	for name, value := range map[string]int64{
		"Size": wanted.Size, "Iops": wanted.IOPS, "Throughput": wanted.Throughput,
	} {
		if value != 0 {
			parameters.Set(name, strconv.FormatInt(value, 10))
		}
	}
	if wanted.Encrypted {
		parameters.Set("Encrypted", "true")
	}
	tag(parameters, "volume", wanted.Tags)
	made := &Volume{}
	if err := cloud.call(ctx, "CreateVolume", parameters, made); err != nil {
		return nil, err
	}
	return made, nil
}

// tag puts tags into a request, always in the same order.
func tag(parameters url.Values, resource string, tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	const prefix = "TagSpecification.1."
	parameters.Set(prefix+"ResourceType", resource)
	names := make([]string, 0, len(tags))
	for name := range tags {
		names = append(names, name)
	}
	slices.Sort(names)
	for position, name := range names {
		at := prefix + "Tag." + strconv.Itoa(position+1)
		parameters.Set(at+".Key", name)
		parameters.Set(at+".Value", tags[name])
	}
}

// Volume is one of the account's; nil where there is none of this ID.
func (cloud *Cloud) Volume(ctx context.Context, id string) (*Volume, error) {
	var answer struct {
		Volumes []Volume `xml:"volumeSet>item"`
	}
	err := cloud.call(ctx, "DescribeVolumes", url.Values{"VolumeId.1": {id}}, &answer)
	if api.HasCode(err, "InvalidVolume.NotFound", "InvalidParameterValue", "InvalidVolumeID.Malformed") {
		return nil, nil
	}
	if err != nil || len(answer.Volumes) == 0 {
		return nil, err
	}
	return &answer.Volumes[0], nil
}

// DeleteVolume has none of this ID.
func (cloud *Cloud) DeleteVolume(ctx context.Context, id string) error {
	err := cloud.call(ctx, "DeleteVolume", url.Values{"VolumeId": {id}}, &struct{}{})
	if api.HasCode(err, "InvalidVolume.NotFound") {
		return nil
	}
	return err
}

// Attach begins to attach a volume to an instance, under the name of a device.
func (cloud *Cloud) Attach(ctx context.Context, volume, instance, device string) error {
	parameters := url.Values{"VolumeId": {volume}, "InstanceId": {instance}, "Device": {device}}
	return cloud.call(ctx, "AttachVolume", parameters, &struct{}{})
}

// Detach begins to detach a volume from an instance.
func (cloud *Cloud) Detach(ctx context.Context, volume, instance string) error {
	parameters := url.Values{"VolumeId": {volume}, "InstanceId": {instance}}
	err := cloud.call(ctx, "DetachVolume", parameters, &struct{}{})
	if api.HasCode(err, "IncorrectState", "InvalidAttachment.NotFound", "InvalidInstanceID.NotFound") {
		return nil
	}
	return err
}

// Await looks at a volume until it is as wanted, or ctx ends; nil where it is no more.
func (cloud *Cloud) Await(ctx context.Context, id string, done func(*Volume) bool) (*Volume, error) {
	for {
		volume, err := cloud.Volume(ctx, id)
		if err != nil || volume == nil || done(volume) {
			return volume, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second / 2):
		}
	}
}

// Grow gives a volume more GiB, and waits until they can be used.
func (cloud *Cloud) Grow(ctx context.Context, id string, size int64) error {
	parameters := url.Values{"VolumeId": {id}, "Size": {strconv.FormatInt(size, 10)}}
	if err := cloud.call(ctx, "ModifyVolume", parameters, &struct{}{}); err != nil {
		return err
	}
	volume, err := cloud.Await(ctx, id, func(volume *Volume) bool { return volume.Size >= size })
	if err == nil && volume == nil {
		err = &api.Error{Operation: "ModifyVolume", Code: "InvalidVolume.NotFound", Message: id}
	}
	return err
}

// Devices are the names of the devices that an instance has volumes at.
func (cloud *Cloud) Devices(ctx context.Context, instance string) ([]string, error) {
	var answer struct {
		Devices []string `xml:"volumeSet>item>attachmentSet>item>device"`
	}
	err := cloud.call(ctx, "DescribeVolumes", url.Values{
		"Filter.1.Name": {"attachment.instance-id"}, "Filter.1.Value.1": {instance},
	}, &answer)
	return answer.Devices, err
}

func (cloud *Cloud) call(ctx context.Context, operation string, parameters url.Values, answer any) error {
	client, err := cloud.own.client(ctx)
	if err != nil {
		return err
	}
	return client.EC2(ctx, operation, parameters, answer)
}
