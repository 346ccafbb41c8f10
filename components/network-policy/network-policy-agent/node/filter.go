// Package node keeps the packet filter of this node at what the cluster's API server tells.
package node

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const nftPatience = 30 * time.Second

// load has nft do what a text says, all of it or nothing.
func load(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, nftPatience)
	defer cancel()
	command := exec.CommandContext(ctx, "nft", "--file", "-")
	var said bytes.Buffer
	command.Stdin, command.Stderr = strings.NewReader(text), &said
	if err := command.Run(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return nil
}
