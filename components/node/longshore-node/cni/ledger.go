package cni

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"longshore/components/node/longshore-node/imds"
)

// rest is how long an address is left alone once a pod has given it up: nobody sends the next one
// what was meant for the last (as the VPC CNI plugin's cooldown).
const rest = 30 * time.Second

// holder is a pod's interface, which holds one address.
type holder struct {
	Container string `json:"container"`
	Interface string `json:"interface"`
	// Device is the node's end of the pair: it is there for as long as the pod's network is.
	Device string `json:"device"`
	// Pod is its uid: what enforces policies on the node is told by it whose the address is.
	Pod string `json:"pod,omitempty"`
}

// ledger says who holds which address, and what is known of the interface that has them. It is read
// and written under its lock.
type ledger struct {
	Held map[string]holder    `json:"held"`
	Left map[string]time.Time `json:"left"`
	Card imds.Interface       `json:"card"`
	// Seen is when Card was learned, Refused when more addresses were last refused.
	Seen    time.Time `json:"seen"`
	Refused time.Time `json:"refused"`

	folder string
	lock   *os.File
}

// openLedger waits for whoever has it.
func openLedger(folder string) (*ledger, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock of %s: %w", folder, err)
	}
	opened := &ledger{Held: map[string]holder{}, Left: map[string]time.Time{}, folder: folder, lock: lock}
	text, err := os.ReadFile(opened.path())
	if err == nil {
		err = json.Unmarshal(text, opened)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		lock.Close()
		return nil, fmt.Errorf("who holds which address: %s: %w", opened.path(), err)
	}
	return opened, nil
}

func (ledger *ledger) path() string { return filepath.Join(ledger.folder, "addresses.json") }

func (ledger *ledger) close() { ledger.lock.Close() }

func (ledger *ledger) save() error {
	text, err := json.Marshal(ledger)
	if err != nil {
		return err
	}
	draft, err := os.OpenFile(ledger.path()+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = draft.Write(text)
	// A machine that dies leaves this one or the last, never half of one.
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	return os.Rename(draft.Name(), ledger.path())
}

// of is the address that a pod's interface holds, or empty.
func (ledger *ledger) of(container, device string) string {
	for address, each := range ledger.Held {
		if each.Container == container && each.Interface == device {
			return address
		}
	}
	return ""
}

// leave gives an address up.
func (ledger *ledger) leave(address string, now time.Time) {
	if _, held := ledger.Held[address]; held {
		delete(ledger.Held, address)
		ledger.Left[address] = now
	}
}

// leaveAll gives up what pods hold whose networks are gone: those that ended while nobody told.
func (ledger *ledger) leaveAll(there func(device string) bool, now time.Time) {
	for address, each := range ledger.Held {
		if !there(each.Device) {
			ledger.leave(address, now)
		}
	}
}

// free is an address of these that nobody holds, the one longest left first; with rested only one
// that has rested. Empty for none.
func (ledger *ledger) free(addresses []string, rested bool, now time.Time) string {
	var found []string
	for _, address := range addresses {
		if ledger.isFree(address, rested, now) {
			found = append(found, address)
		}
	}
	slices.SortStableFunc(found, func(one, other string) int {
		return ledger.Left[one].Compare(ledger.Left[other])
	})
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// isFree says whether nobody holds an address, and with rested whether it has rested.
func (ledger *ledger) isFree(address string, rested bool, now time.Time) bool {
	_, held := ledger.Held[address]
	left, used := ledger.Left[address]
	return !held && !(rested && used && now.Sub(left).Abs() < rest)
}

// learn adds addresses that the interface has got.
func (ledger *ledger) learn(addresses []string) {
	for _, address := range addresses {
		if !slices.Contains(ledger.Card.Secondary, address) {
			ledger.Card.Secondary = append(ledger.Card.Secondary, address)
		}
	}
}

// hold gives an address to a pod's interface; what is kept of addresses that are gone is forgotten.
func (ledger *ledger) hold(address string, by holder, addresses []string) {
	ledger.Held[address] = by
	for left := range ledger.Left {
		if left == address || !slices.Contains(addresses, left) {
			delete(ledger.Left, left)
		}
	}
}
