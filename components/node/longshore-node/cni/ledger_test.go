package cni

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 0)

func opened(t *testing.T, folder string) *ledger {
	t.Helper()
	ledger, err := openLedger(folder)
	if err != nil {
		t.Fatal(err)
	}
	return ledger
}

// Whatever pods come and go: no two hold one address, and who asks has one while one is free.
func TestNoAddressIsHeldTwice(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	addresses := []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}
	folder, held, now := t.TempDir(), map[string]string{}, start
	for step := range 500 {
		now = now.Add(time.Duration(random.IntN(40)) * time.Second)
		ledger := opened(t, folder)
		pod := fmt.Sprint("pod", random.IntN(8))
		if has := ledger.of(pod, "eth0"); has != held[pod] {
			t.Fatalf("step %d: %s holds %q, not %q", step, pod, has, held[pod])
		}
		if has := held[pod]; has != "" {
			ledger.leave(has, now)
			delete(held, pod)
		} else if found := ledger.free(addresses, false, now); found != "" {
			ledger.hold(found, holder{pod, "eth0", "eni" + pod, ""}, addresses)
			held[pod] = found
		} else if len(held) < len(addresses) {
			t.Fatalf("step %d: an address is free, but was not found", step)
		}
		if err := ledger.save(); err != nil {
			t.Fatal(err)
		}
		ledger.close()
	}
}

func TestAddressRestsAndTheOneLongestLeftIsNext(t *testing.T) {
	ledger := opened(t, t.TempDir())
	defer ledger.close()
	addresses := []string{"a", "b"}
	for index, address := range addresses {
		ledger.hold(address, holder{Container: address}, addresses)
		ledger.leave(address, start.Add(time.Duration(-index)*time.Second))
	}
	if found := ledger.free(addresses, true, start.Add(rest/2)); found != "" {
		t.Error("one has not rested: " + found)
	}
	for _, rested := range []bool{false, true} {
		if found := ledger.free(addresses, rested, start.Add(rest)); found != "b" {
			t.Error("not the one longest left: " + found)
		}
	}
}

func TestAddressesThatTheInterfaceHasNoMoreAreNotGiven(t *testing.T) {
	ledger := opened(t, t.TempDir())
	defer ledger.close()
	ledger.hold("gone", holder{Container: "pod"}, []string{"gone"})
	ledger.leave("gone", start)
	ledger.hold("here", holder{Container: "other"}, []string{"here"})
	if found := ledger.free([]string{"here"}, false, start); found != "" {
		t.Error(found)
	}
	if len(ledger.Left) != 0 {
		t.Error(ledger.Left)
	}
}

func TestPodsWhoseNetworksAreGoneLeaveTheirAddresses(t *testing.T) {
	ledger := opened(t, t.TempDir())
	defer ledger.close()
	addresses := []string{"a", "b"}
	ledger.hold("a", holder{"one", "eth0", "there", ""}, addresses)
	ledger.hold("b", holder{"two", "eth0", "gone", ""}, addresses)
	ledger.leaveAll(func(device string) bool { return device == "there" }, start)
	if ledger.of("one", "eth0") != "a" || ledger.of("two", "eth0") != "" {
		t.Error(ledger.Held)
	}
}

func TestLedgerThatCannotBeReadIsAnError(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(folder+"/addresses.json", []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openLedger(folder); err == nil {
		t.Error("it was taken for an empty one")
	}
}

func TestDevicesAreNamedApartAndWithinTheKernelsLimit(t *testing.T) {
	named := []string{deviceName("one", "eth0"), deviceName("two", "eth0"), deviceName("one", "eth1")}
	if slices.ContainsFunc(named, func(name string) bool { return len(name) > 15 }) {
		t.Error(named)
	}
	slices.Sort(named)
	if len(slices.Compact(named)) != 3 {
		t.Error(named)
	}
}
