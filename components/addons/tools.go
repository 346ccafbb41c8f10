//go:build tools

// Package addons pins what add-ons of EKS clusters run: CoreDNS, whose plugins are chosen here, and
// metrics-server.
package addons

import (
	_ "sigs.k8s.io/metrics-server/cmd/metrics-server"
)
