// Package sidecars runs Kubernetes' own controllers of CSI volumes: external-provisioner, -attacher,
// -resizer and -snapshotter, in one process with the driver that they call, under one lease.
package sidecars

import (
	"context"
	"fmt"
	"time"

	"github.com/kubernetes-csi/csi-lib-utils/connection"
	"github.com/kubernetes-csi/csi-lib-utils/leaderelection"
	"github.com/kubernetes-csi/csi-lib-utils/metrics"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"

	"longshore/components/ebs-csi/ebs-csi/driver"
)

const (
	lease         = "ebs-csi-aws-com"
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second

	callTimeout = time.Minute
	resync      = 10 * time.Minute
	workers     = 10
	retryFirst  = time.Second
	retryLast   = 5 * time.Minute

	qps, burst = 20, 100
)

// Sidecars is what the controllers have in common.
type Sidecars struct {
	config  *rest.Config
	client  kubernetes.Interface
	driver  *grpc.ClientConn
	address string
	metrics metrics.CSIMetricsManager
	// ExtraMetadata has the names of claims and snapshots told to the driver, which tags with them.
	ExtraMetadata bool
	// DefaultFS is the file system where a StorageClass names none.
	DefaultFS string
}

// Connect joins the cluster that the pod is in to the driver that answers at the socket.
func Connect(ctx context.Context, address string) (*Sidecars, error) {
	config, client, err := cluster()
	if err != nil {
		return nil, err
	}
	manager := metrics.NewCSIMetricsManager(driver.Name)
	told, err := connection.Connect(ctx, address, manager, connection.OnConnectionLoss(
		func(context.Context) bool { return true }))
	if err != nil {
		return nil, fmt.Errorf("the driver does not answer: %w", err)
	}
	return &Sidecars{config: config, client: client, driver: told, address: address, metrics: manager}, nil
}

func cluster() (*rest.Config, kubernetes.Interface, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, nil, err
	}
	config.QPS, config.Burst = qps, burst
	core := rest.CopyConfig(config)
	core.ContentType = runtime.ContentTypeProtobuf
	client, err := kubernetes.NewForConfig(core)
	return config, client, err
}

// Run acts whenever this process has the lease, until ctx ends; then the lease is given back.
func (own *Sidecars) Run(ctx context.Context) error {
	return lead(ctx, own.config, lease, own.act)
}

// lead has a client of its own, so that a busy controller does not lose its lease.
func lead(ctx context.Context, config *rest.Config, name string, act func(context.Context)) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	election := leaderelection.NewLeaderElection(client, name, act)
	election.WithLeaseDuration(leaseDuration)
	election.WithRenewDeadline(renewDeadline)
	election.WithRetryPeriod(retryPeriod)
	election.WithReleaseOnCancel(true)
	election.WithContext(ctx)
	return election.Run()
}

// act has all controllers watch through the same caches.
func (own *Sidecars) act(ctx context.Context) {
	factory := informers.NewSharedInformerFactory(own.client, resync)
	var controllers []func()
	for _, prepare := range []func(context.Context, informers.SharedInformerFactory) (func(), error){
		own.provisioner, own.attacher, own.resizer,
	} {
		run, err := prepare(ctx, factory)
		if err != nil {
			exit(err)
		}
		controllers = append(controllers, run)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for _, run := range controllers {
		go run()
	}
	own.snapshotter(ctx)
	<-ctx.Done()
}

func retries() workqueue.TypedRateLimiter[string] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[string](retryFirst, retryLast)
}
