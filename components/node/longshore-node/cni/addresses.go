package cni

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"longshore/components/node/longshore-node/api"
	"longshore/components/node/longshore-node/imds"
)

const (
	// batch is how many addresses are asked for at once: each call costs a moment, each address the
	// subnet one.
	batch = 8
	// few is when more are asked for, while pods still have some: none waits for the API then.
	few = 4
	// mostAddresses is how many secondary addresses an interface may have.
	mostAddresses = 49
	// known is for how long what the metadata said of the interface is good: they are asked by every
	// pod else (the VPC CNI plugin looks once a minute).
	known = time.Minute
	// refusal is for how long no more addresses are asked for once they were refused.
	refusal = 30 * time.Second
)

// refusals are the API's words for no more addresses.
var refusals = []string{"PrivateIpAddressLimitExceeded", "InsufficientFreeAddressesInSubnet"}

// pool gives addresses to pods.
type pool struct {
	ledger *ledger
	now    time.Time
	// most is how many addresses the interface is to have for pods: as many as fit on the node.
	most int
	// ask tells of the interface as it is now.
	ask func() (imds.Interface, error)
	// more asks for as many addresses as said.
	more func(interfaceID string, count int) ([]string, error)
}

func openPool(ctx context.Context, client *imds.Client, ledger *ledger, most int) (*pool, error) {
	if most <= 0 {
		most = mostAddresses
	}
	pool := &pool{
		ledger, time.Now(), min(most, mostAddresses),
		func() (imds.Interface, error) { return client.Primary(ctx) },
		func(interfaceID string, count int) ([]string, error) { return assign(ctx, client, interfaceID, count) },
	}
	if ledger.Card.ID != "" && pool.now.Sub(ledger.Seen).Abs() < known {
		return pool, nil
	}
	return pool, pool.look()
}

// look learns of addresses that the interface has got or lost.
func (pool *pool) look() error {
	card, err := pool.ask()
	if err == nil {
		pool.ledger.Card, pool.ledger.Seen = card, pool.now
	}
	return err
}

func (pool *pool) free(rested bool) string {
	return pool.ledger.free(pool.ledger.Card.Secondary, rested, pool.now)
}

// take gives an address to a pod's interface: one that has rested, or a new one, or at last one that
// has been left a moment ago.
func (pool *pool) take(by holder) (string, error) {
	address := pool.free(true)
	if address == "" {
		var err error
		if address = pool.free(false); address == "" || !pool.isRefused() {
			err = pool.grow()
			if fresh := pool.free(true); fresh != "" {
				address = fresh
			}
		}
		if address == "" {
			return "", fmt.Errorf("interface %s has no address left for a pod, %d are held: %w",
				pool.ledger.Card.ID, len(pool.ledger.Card.Secondary), err)
		}
	}
	pool.ledger.hold(address, by, pool.ledger.Card.Secondary)
	return address, pool.ledger.save()
}

func (pool *pool) isRefused() bool { return pool.now.Sub(pool.ledger.Refused).Abs() < refusal }

// isShort says whether it is time to ask for more addresses, though there are some.
func (pool *pool) isShort() bool {
	left := 0
	for _, address := range pool.ledger.Card.Secondary {
		if pool.ledger.isFree(address, true, pool.now) {
			left++
		}
	}
	return left < few && len(pool.ledger.Card.Secondary) < pool.most && !pool.isRefused()
}

// grow asks for more addresses; one at least, where the interface or subnet has not got them all.
func (pool *pool) grow() error {
	card := &pool.ledger.Card
	count := min(batch, pool.most-len(card.Secondary))
	if count <= 0 {
		return fmt.Errorf("it is to have %d at most", pool.most)
	}
	assigned, err := pool.more(card.ID, count)
	if err != nil && count > 1 && api.HasCode(err, refusals...) {
		assigned, err = pool.more(card.ID, 1)
	}
	if api.HasCode(err, refusals...) {
		pool.ledger.Refused = pool.now
	}
	pool.ledger.learn(assigned)
	if err == nil && len(assigned) == 0 {
		err = errors.New("none was assigned")
	}
	return err
}

func assign(ctx context.Context, client *imds.Client, interfaceID string, count int) ([]string, error) {
	region, err := client.Get(ctx, "meta-data/placement/region")
	if err != nil {
		return nil, err
	}
	role, err := client.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	caller, err := api.New(region, role)
	if err != nil {
		return nil, err
	}
	return caller.AssignAddresses(ctx, interfaceID, count)
}

// Warm has a few addresses there before the first pod needs one.
func Warm(ctx context.Context, client *imds.Client, folder string, most int) error {
	ledger, err := openLedger(folder)
	if err != nil {
		return err
	}
	defer ledger.close()
	pool, err := openPool(ctx, client, ledger, most)
	if err != nil {
		return err
	}
	if pool.isShort() {
		err = pool.grow()
	}
	return errors.Join(err, ledger.save())
}

// growBeside has another process ask for more addresses, which no pod waits for.
func growBeside(folder string, most int) {
	program, err := os.Executable()
	if err != nil {
		return
	}
	command := exec.Command(program, "more-addresses", folder, strconv.Itoa(most))
	// With what the plugin is told it would be the plugin.
	command.Env = slices.DeleteFunc(os.Environ(), func(each string) bool { return strings.HasPrefix(each, "CNI_") })
	// What the container runtime reads is the plugin's answer alone; it waits for its end.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if command.Start() == nil {
		_ = command.Process.Release()
	}
}

// MoreAddresses asks for more addresses without the ledger, in which pods go on meanwhile; one
// process at a time does.
func MoreAddresses(folder string, most int) error {
	alone, err := os.OpenFile(filepath.Join(folder, "growing"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer alone.Close()
	if unix.Flock(int(alone.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	client := imds.New()
	seen, err := openLedger(folder)
	if err != nil {
		return err
	}
	pool, err := openPool(ctx, client, seen, most)
	seen.close()
	if err != nil || !pool.isShort() {
		return err
	}
	before := slices.Clone(seen.Card.Secondary)
	refused := pool.grow()
	now, err := openLedger(folder)
	if err != nil {
		return err
	}
	defer now.close()
	for _, address := range seen.Card.Secondary {
		if !slices.Contains(before, address) {
			now.learn([]string{address})
		}
	}
	now.Refused = seen.Refused
	return errors.Join(refused, now.save())
}
