package node

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"
)

// given are the addresses that the CNI plugin has given to pods, by their uids (longshore-node, cni:
// its ledger). It writes an address down before the pod has it. None where there is no ledger.
func given(folder string) map[types.UID]netip.Addr {
	var ledger struct {
		Held map[string]struct {
			Pod types.UID `json:"pod"`
		} `json:"held"`
	}
	text, err := os.ReadFile(filepath.Join(folder, "addresses.json"))
	if err != nil || json.Unmarshal(text, &ledger) != nil {
		return nil
	}
	found := map[types.UID]netip.Addr{}
	for text, holder := range ledger.Held {
		address, err := netip.ParseAddr(text)
		if err == nil && address.Is4() && holder.Pod != "" && found[holder.Pod].Less(address) {
			found[holder.Pod] = address
		}
	}
	return found
}

// follow tells of each new version of the ledger, which is moved into its place.
func follow(folder string, changed func()) error {
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	if _, err := unix.InotifyAddWatch(watch, folder, unix.IN_MOVED_TO); err != nil {
		unix.Close(watch)
		return &os.PathError{Op: "inotify_add_watch", Path: folder, Err: err}
	}
	go func() {
		events := os.NewFile(uintptr(watch), "inotify")
		defer events.Close()
		buffer := make([]byte, 4096)
		for {
			if _, err := events.Read(buffer); err != nil {
				return
			}
			changed()
		}
	}()
	return nil
}
