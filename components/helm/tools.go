//go:build tools

// Package helm pins the client of charts that the tests of EKS clusters have.
package helm

import (
	_ "helm.sh/helm/v3/cmd/helm"
)
