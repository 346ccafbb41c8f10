package driver

import (
	"context"
	"errors"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func asked(zones ...string) *csi.CreateVolumeRequest {
	request := &csi.CreateVolumeRequest{
		Name:          "pvc-1",
		CapacityRange: &csi.CapacityRange{RequiredBytes: 3*gib + 1},
		Parameters:    map[string]string{},
	}
	topology := &csi.TopologyRequirement{}
	for _, each := range zones {
		topology.Preferred = append(topology.Preferred, &csi.Topology{Segments: map[string]string{ZoneKey: each}})
	}
	request.AccessibilityRequirements = topology
	return request
}

func code(t *testing.T, err error) codes.Code {
	t.Helper()
	if err == nil {
		return codes.OK
	}
	return status.Code(err)
}

func TestAVolumeIsMadeInThePreferredZoneAndOfWholeGiB(t *testing.T) {
	wanted, err := wantedVolume(asked("us-east-1b", "us-east-1a"), nil)
	if err != nil || wanted.Zone != "us-east-1b" || wanted.Size != 4 || wanted.Type != "gp3" {
		t.Fatalf("%+v %v", wanted, err)
	}
}

func TestParametersOfAClassAreHeededAndOthersRefused(t *testing.T) {
	request := asked("us-east-1a")
	request.Parameters = map[string]string{
		"type": "io2", "iopsPerGB": "50", "encrypted": "true", "tagSpecification_1": "team=a",
		"csi.storage.k8s.io/pvc/name": "data",
	}
	wanted, err := wantedVolume(request, map[string]string{"KubernetesCluster": "shop"})
	if err != nil || wanted.Type != "io2" || wanted.IOPS != 200 || !wanted.Encrypted {
		t.Fatalf("%+v %v", wanted, err)
	}
	for name, value := range map[string]string{
		"team": "a", "KubernetesCluster": "shop", "CSIVolumeName": "pvc-1", "ebs.csi.aws.com/cluster": "true",
		"kubernetes.io/created-for/pvc/name": "data",
	} {
		if wanted.Tags[name] != value {
			t.Errorf("tag %s: %q", name, wanted.Tags[name])
		}
	}
	for name, value := range map[string]string{
		"colour": "red", "iops": "many", "tagSpecification_1": "aws:x=1", "tagSpecification_2": "kubernetes.io/x=1",
	} {
		request := asked("us-east-1a")
		request.Parameters[name] = value
		if _, err := wantedVolume(request, nil); code(t, err) != codes.InvalidArgument {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestSizesAreWithinWhatIsAskedFor(t *testing.T) {
	for _, each := range []struct {
		required, limit, least, size int64
		code                         codes.Code
	}{
		{0, 0, 1, 100, codes.OK},
		{1, 0, 1, 1, codes.OK},
		{1, 0, 125, 125, codes.OK},
		{gib, gib, 1, 1, codes.OK},
		{gib + 1, gib + 2, 1, 0, codes.OutOfRange},
		{gib, 100 * gib, 125, 0, codes.OutOfRange},
		{-1, 0, 1, 0, codes.InvalidArgument},
	} {
		size, err := sizeOf(&csi.CapacityRange{RequiredBytes: each.required, LimitBytes: each.limit}, each.least)
		if size != each.size || code(t, err) != each.code {
			t.Errorf("%+v: %d %v", each, size, err)
		}
	}
}

func TestARequestWithoutAZoneIsRefused(t *testing.T) {
	if _, err := wantedVolume(asked(), nil); code(t, err) != codes.InvalidArgument {
		t.Fatal(err)
	}
}

func TestTheSameNameIsTheSameTokenAndAnotherIsAnother(t *testing.T) {
	if token("a") != token("a") || token("a") == token("b") || len(token("a")) > 64 {
		t.Fatal(token("a"))
	}
}

func TestVolumesOfManyNodesAreRefused(t *testing.T) {
	many := &csi.VolumeCapability{AccessMode: &csi.VolumeCapability_AccessMode{
		Mode: csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER,
	}}
	if code(t, checkCapabilities([]*csi.VolumeCapability{many})) != codes.InvalidArgument {
		t.Fatal("a volume was to be of many nodes")
	}
	if code(t, checkCapabilities(nil)) != codes.InvalidArgument {
		t.Fatal("a volume was to be used as nothing")
	}
}

func TestWhatIsNoDeviceIsNotMounted(t *testing.T) {
	for _, path := range []string{"", "/etc/passwd", "/dev/../etc/passwd", "/dev/pts/0", "xvdaa"} {
		if _, err := found(context.Background(), path); code(t, err) != codes.InvalidArgument {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestDevicesHaveNamesThatAreNotTheRootVolumes(t *testing.T) {
	all := devices()
	if len(all) < 50 || all[0] != "/dev/xvdaa" {
		t.Fatal(all)
	}
}

func TestAFileSystemThatMayNotGrowWhileItIsUsedWaitsForItsPodsEnd(t *testing.T) {
	denied := errors.New("resize2fs output: resize2fs: Permission denied to resize filesystem")
	if expansionCode(denied) != codes.FailedPrecondition || expansionCode(errors.New("no space")) != codes.Internal {
		t.Fatal(expansionCode(denied))
	}
}

func TestTheSizeOfAFileSystemIsReadOfWhatItsToolTells(t *testing.T) {
	count, size, err := blocks("dumpe2fs 1.47\nFilesystem volume name:   <none>\nBlock count:   262144\nBlock size:    4096\n")
	if count != 262144 || size != 4096 || err != nil {
		t.Fatal(count, size, err)
	}
	for _, told := range []string{"", "Block count: many\nBlock size: 4096\n", "Block count: 0\nBlock size: 0\n"} {
		if _, _, err := blocks(told); err == nil {
			t.Errorf("%q has a size", told)
		}
	}
}
