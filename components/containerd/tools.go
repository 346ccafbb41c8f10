//go:build tools

// Package containerd pins containerd: its commands, and a shim of our own, are built from
// this module.
package containerd

import (
	_ "github.com/containerd/containerd/v2/cmd/containerd"
	_ "github.com/containerd/containerd/v2/cmd/ctr"
)
