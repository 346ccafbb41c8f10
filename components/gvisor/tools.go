//go:build tools

// Package gvisor pins gVisor: runsc, and the shim of our own, are built from this module.
package gvisor

import (
	_ "gvisor.dev/gvisor/runsc"
)
