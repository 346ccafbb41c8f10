package bootstrap

import (
	"reflect"
	"testing"

	"longshore/components/node/longshore-node/imds"
)

func TestPodsAreAsManyAsTheTypesAddressesOnOneInterface(t *testing.T) {
	for want, limits := range map[int][2]int{4: {2, 2}, 17: {3, 6}, 29: {3, 10}, 51: {4, 15}} {
		if found := podsOf(limits[0], limits[1]); found != want {
			t.Errorf("%v gives %d, not %d", limits, found, want)
		}
	}
}

func TestCoresAreReservedAsEKSDoes(t *testing.T) {
	for cores, want := range map[int64]int64{1000: 60, 2000: 70, 4000: 80, 8000: 90, 64000: 230, 500: 30} {
		if found := reservedCores(cores); found != want {
			t.Errorf("of %d are %d, not %d", cores, found, want)
		}
	}
}

func TestCoresBeyondTheInstancesAreNobodysPods(t *testing.T) {
	if found := (resources{cores: 2000, machineCores: 16000}).systemReserved(); found["cpu"] != "14000m" {
		t.Error(found)
	}
	for _, all := range []resources{{machineCores: 2000}, {cores: 4000, machineCores: 2000}} {
		if found := all.systemReserved(); len(found) != 0 {
			t.Error(found)
		}
	}
}

func TestNodeIsNamedAsItsInstance(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "ip-10-0-1-2.ec2.internal",
		"eu-west-1": "ip-10-0-1-2.eu-west-1.compute.internal",
	} {
		named := node{identity: imds.Identity{Region: region, PrivateIP: "10.0.1.2"}}
		if found := named.name(); found != want {
			t.Errorf("%s, not %s", found, want)
		}
	}
}

func TestLaterObjectsAreMergedAndNeitherIsChanged(t *testing.T) {
	base := object{"a": object{"x": 1, "y": 2}, "list": []int{1}, "kept": true}
	over := object{"a": object{"y": 3}, "list": []int{2}}
	want := object{"a": object{"x": 1, "y": 3}, "list": []int{2}, "kept": true}
	if found := mergeObjects(base, over); !reflect.DeepEqual(found, want) {
		t.Error(found)
	}
	if !reflect.DeepEqual(base["a"], object{"x": 1, "y": 2}) || len(over) != 2 {
		t.Error("an argument was changed")
	}
}

func TestPodsAskedForByFlagAreHeard(t *testing.T) {
	given := KubeletOptions{Config: object{"maxPods": 8.0}, Flags: []string{"--v=2", "--max-pods=20"}}
	if found := given.maxPods(); found != 20 {
		t.Error(found)
	}
	if found := (KubeletOptions{}).maxPods(); found != 0 {
		t.Error(found)
	}
}

func TestDNSIsTheTenthAddress(t *testing.T) {
	for cidr, want := range map[string]string{"10.100.0.0/16": "10.100.0.10", "172.20.1.16/28": "172.20.1.26"} {
		if found, err := (Cluster{CIDR: cidr}).dns(); err != nil || found != want {
			t.Error(found, err)
		}
	}
	if found, err := (Cluster{CIDR: "10.0.0.0/29"}).dns(); err == nil {
		t.Error(found)
	}
}
