package bootstrap

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

const (
	cgroups = "/sys/fs/cgroup"
)

// resources are those of the instance and of the machine that it is on: the kernel tells everybody
// the machine's. Both are in thousandths of a core; cores is 0 without a limit.
type resources struct {
	cores, machineCores int64
}

func readResources(root string) resources {
	return resources{
		cores:        coreLimit(root),
		machineCores: int64(runtime.NumCPU()) * 1000,
	}
}

func coreLimit(root string) int64 {
	quota := number(readWord(filepath.Join(root, cgroups, "cpu/cpu.cfs_quota_us"), 0))
	period := number(readWord(filepath.Join(root, cgroups, "cpu/cpu.cfs_period_us"), 0))
	if quota <= 0 || period <= 0 {
		quota = number(readWord(filepath.Join(root, cgroups, "cpu.max"), 0))
		period = number(readWord(filepath.Join(root, cgroups, "cpu.max"), 1))
	}
	if quota <= 0 || period <= 0 {
		return 0
	}
	return quota * 1000 / period
}

func readWord(path string, index int) string {
	text, err := os.ReadFile(path)
	words := strings.Fields(string(text))
	if err != nil || len(words) <= index {
		return ""
	}
	return words[index]
}

func number(word string) int64 {
	value, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return 0
	}
	return value
}

// available is how much of the machine's cores the instance has.
func (resources resources) available() int64 {
	if resources.cores == 0 {
		return resources.machineCores
	}
	return min(resources.cores, resources.machineCores)
}

// kubeReserved is what EKS's nodes set aside for the kubelet and the container runtime.
func (resources resources) kubeReserved(maxPods int) object {
	return object{
		"cpu":               fmt.Sprintf("%dm", reservedCores(resources.available())),
		"ephemeral-storage": "1Gi",
		"memory":            fmt.Sprintf("%dMi", 255+11*maxPods),
	}
}

// reservedCores: 6% of the first core, 1% of the second, 0.5% of the next two, 0.25% of all others.
func reservedCores(cores int64) int64 {
	shares := []struct{ upTo, perMyriad int64 }{{1000, 600}, {2000, 100}, {4000, 50}, {1 << 40, 25}}
	reserved, from := int64(0), int64(0)
	for _, share := range shares {
		if cores > from {
			reserved += (min(cores, share.upTo) - from) * share.perMyriad
		}
		from = share.upTo
	}
	return reserved / 10000
}

// systemReserved is what of the machine's cores is not the instance's: the kubelet counts them all.
func (resources resources) systemReserved() object {
	if others := resources.machineCores - resources.available(); others > 0 {
		return object{"cpu": fmt.Sprintf("%dm", others)}
	}
	return object{}
}

// kernelSettings are the machine's, which every kubelet wants to have so and would set: this one
// finds them as it wants them.
var kernelSettings = map[string]string{
	"kernel/keys/root_maxbytes": "25000000",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
}

func keepKernelSettings(folder string) error {
	for name, value := range kernelSettings {
		path := filepath.Join("/proc/sys", name)
		if text, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(text)) == value {
			continue
		}
		if err := cover(path, filepath.Join(folder, strings.ReplaceAll(name, "/", ".")), []byte(value+"\n")); err != nil {
			return err
		}
	}
	return nil
}

// cover lays a file with this text over another one, in this mount namespace.
func cover(path, file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	if err := syscall.Mount(file, path, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount over %s: %w", path, err)
	}
	return nil
}
