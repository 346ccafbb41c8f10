package cni

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"longshore/components/node/longshore-node/api"
	"longshore/components/node/longshore-node/imds"
)

const (
	// batch is how many addresses are asked for at once: each call costs a moment, each address the
	// subnet one.
	batch = 4
	// mostAddresses is how many secondary addresses an interface may have.
	mostAddresses = 49
)

// pool gives addresses to pods.
type pool struct {
	ledger *ledger
	card   imds.Interface
	now    time.Time
	// more asks for as many addresses as said.
	more func(count int) ([]string, error)
}

func openPool(ctx context.Context, client *imds.Client, ledger *ledger) (*pool, error) {
	card, err := client.Primary(ctx)
	if err != nil {
		return nil, err
	}
	more := func(count int) ([]string, error) { return assign(ctx, client, card.ID, count) }
	return &pool{ledger, card, time.Now(), more}, nil
}

// take gives an address to a pod's interface: one that has rested, or a new one, or at last one that
// has been left a moment ago.
func (pool *pool) take(by holder) (string, error) {
	address := pool.ledger.free(pool.card.Secondary, true, pool.now)
	if address == "" {
		err := pool.grow()
		address = pool.ledger.free(pool.card.Secondary, true, pool.now)
		if address == "" {
			address = pool.ledger.free(pool.card.Secondary, false, pool.now)
		}
		if address == "" {
			return "", fmt.Errorf("interface %s has no address left for a pod, %d are held: %w",
				pool.card.ID, len(pool.card.Secondary), err)
		}
	}
	pool.ledger.hold(address, by, pool.card.Secondary)
	return address, pool.ledger.save()
}

// grow asks for more addresses; one at least, where the interface or subnet has not got them all.
func (pool *pool) grow() error {
	count := min(batch, mostAddresses-len(pool.card.Secondary))
	if count <= 0 {
		return fmt.Errorf("an interface has %d at most", mostAddresses)
	}
	assigned, err := pool.more(count)
	if err != nil && count > 1 && api.HasCode(err, "PrivateIpAddressLimitExceeded", "InsufficientFreeAddressesInSubnet") {
		assigned, err = pool.more(1)
	}
	for _, address := range assigned {
		if !slices.Contains(pool.card.Secondary, address) {
			pool.card.Secondary = append(pool.card.Secondary, address)
		}
	}
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
func Warm(ctx context.Context, client *imds.Client, folder string) error {
	ledger, err := openLedger(folder)
	if err != nil {
		return err
	}
	defer ledger.close()
	pool, err := openPool(ctx, client, ledger)
	if err != nil || len(pool.card.Secondary) > 0 {
		return err
	}
	return pool.grow()
}
