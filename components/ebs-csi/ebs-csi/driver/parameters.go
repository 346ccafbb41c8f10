package driver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"

	"longshore/components/ebs-csi/ebs-csi/cloud"
)

const (
	defaultType = "gp3"
	defaultGiB  = 100
	mostTags    = 50
	tagPrefix   = "tagspecification_"
	metadata    = "csi.storage.k8s.io/"
)

// metadataTags are the tags that say what a volume is for, by the parameters of --extra-create-metadata.
var metadataTags = map[string]string{
	metadata + "pvc/name":                   "kubernetes.io/created-for/pvc/name",
	metadata + "pvc/namespace":              "kubernetes.io/created-for/pvc/namespace",
	metadata + "pv/name":                    "kubernetes.io/created-for/pv/name",
	metadata + "volumesnapshot/name":        "kubernetes.io/created-for/volumesnapshot/name",
	metadata + "volumesnapshot/namespace":   "kubernetes.io/created-for/volumesnapshot/namespace",
	metadata + "volumesnapshotcontent/name": "kubernetes.io/created-for/volumesnapshotcontent/name",
}

// smallest sizes of the types in GiB ("Amazon EBS volume types"), which EC2 would refuse to go below.
var smallest = map[string]int64{"io1": 4, "io2": 4, "st1": 125, "sc1": 125}

// wantedVolume reads a request; the error has a code of gRPC's.
func wantedVolume(request *csi.CreateVolumeRequest, extra map[string]string) (cloud.Wanted, error) {
	wanted := cloud.Wanted{Type: defaultType, Tags: map[string]string{
		"CSIVolumeName": request.GetName(), Name + "/cluster": "true",
	}}
	for key, value := range extra {
		wanted.Tags[key] = value
	}
	perGiB := int64(0)
	for key, value := range request.GetParameters() {
		if err := read(&wanted, &perGiB, key, value); err != nil {
			return wanted, refused(codes.InvalidArgument, "%v", err)
		}
	}
	if len(wanted.Tags) > mostTags {
		return wanted, refused(codes.InvalidArgument, "more than %d tags", mostTags)
	}
	size, err := sizeOf(request.GetCapacityRange(), max(smallest[wanted.Type], 1))
	if err != nil {
		return wanted, err
	}
	wanted.Size, wanted.Token = size, token(request.GetName())
	if perGiB != 0 && wanted.IOPS == 0 {
		wanted.IOPS = perGiB * size
	}
	wanted.Zone = zone(request.GetAccessibilityRequirements())
	if wanted.Zone == "" {
		return wanted, refused(codes.InvalidArgument, "the request names no Availability Zone")
	}
	if snapshot := request.GetVolumeContentSource().GetSnapshot(); snapshot != nil {
		wanted.Snapshot = snapshot.GetSnapshotId()
	} else if request.GetVolumeContentSource() != nil {
		return wanted, refused(codes.InvalidArgument, "a volume begins with a snapshot or with nothing")
	}
	return wanted, nil
}

// read is one of the parameters of a StorageClass ("CreateVolume Parameters", AWS EBS CSI driver).
func read(wanted *cloud.Wanted, perGiB *int64, key, value string) (err error) {
	switch lower := strings.ToLower(key); {
	case lower == "type":
		wanted.Type = value
	case lower == "iops":
		wanted.IOPS, err = strconv.ParseInt(value, 10, 32)
	case lower == "iopspergb":
		*perGiB, err = strconv.ParseInt(value, 10, 32)
	case lower == "throughput":
		wanted.Throughput, err = strconv.ParseInt(value, 10, 32)
	case lower == "encrypted":
		wanted.Encrypted = value == "true"
	case lower == "kmskeyid":
		wanted.Key, wanted.Encrypted = value, true
	case strings.HasPrefix(lower, tagPrefix):
		name, text, found := strings.Cut(value, "=")
		if !found || name == "" || strings.HasPrefix(name, "aws:") || strings.HasPrefix(name, "kubernetes.io/") {
			return fmt.Errorf("parameter %s: %q is no tag that volumes may have", key, value)
		}
		wanted.Tags[name] = text
	case metadataTags[lower] != "":
		wanted.Tags[metadataTags[lower]] = value
	default:
		return fmt.Errorf("invalid parameter key %s for CreateVolume", key)
	}
	if err != nil {
		err = fmt.Errorf("parameter %s: %q is no number", key, value)
	}
	return err
}

// sizeOf is a size in GiB: at least what is required and what the type has, and within the limit.
func sizeOf(asked *csi.CapacityRange, least int64) (int64, error) {
	if asked.GetRequiredBytes() == 0 && asked.GetLimitBytes() == 0 {
		return defaultGiB, nil
	}
	if asked.GetRequiredBytes() < 0 || asked.GetLimitBytes() < 0 {
		return 0, refused(codes.InvalidArgument, "sizes are not negative")
	}
	size := max((asked.GetRequiredBytes()+gib-1)/gib, least)
	if limit := asked.GetLimitBytes(); limit != 0 && size*gib > limit {
		return 0, refused(codes.OutOfRange, "no size of whole GiB is within %d bytes", limit)
	}
	return size, nil
}

// zone is the first that is preferred, or else the first that will do.
func zone(asked *csi.TopologyRequirement) string {
	for _, topology := range append(asked.GetPreferred(), asked.GetRequisite()...) {
		for _, key := range []string{WellKnownZoneKey, ZoneKey} {
			if found := topology.GetSegments()[key]; found != "" {
				return found
			}
		}
	}
	return ""
}

// token is the same for the same name, so that a request that is repeated makes no second volume.
func token(name string) string {
	digest := sha256.Sum256([]byte(name))
	return hex.EncodeToString(digest[:])
}

// checkCapabilities refuses what a volume cannot be used as. Only one node has it at a time.
func checkCapabilities(asked []*csi.VolumeCapability) error {
	if len(asked) == 0 {
		return refused(codes.InvalidArgument, "the volume's capabilities are missing")
	}
	for _, each := range asked {
		if !isSupported(each) {
			return refused(codes.InvalidArgument, "volumes are of one node at a time: %v", each.GetAccessMode().GetMode())
		}
	}
	return nil
}

func isSupported(asked *csi.VolumeCapability) bool {
	switch asked.GetAccessMode().GetMode() {
	case csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER,
		csi.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY,
		csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER,
		csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER:
		return true
	}
	return false
}
