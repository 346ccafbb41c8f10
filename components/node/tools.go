//go:build tools

// Package node pins what nodes of EKS clusters have inside: longshore-node, which is built from
// this module, and the CNI plugins beside it.
package node

import (
	_ "github.com/containernetworking/plugins/plugins/main/loopback"
	_ "github.com/containernetworking/plugins/plugins/meta/portmap"
)
