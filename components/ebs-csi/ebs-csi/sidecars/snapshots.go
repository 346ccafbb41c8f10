package sidecars

import (
	"context"
	"os"
	"time"

	snapshots "github.com/kubernetes-csi/external-snapshotter/client/v8/clientset/versioned"
	snapshotscheme "github.com/kubernetes-csi/external-snapshotter/client/v8/clientset/versioned/scheme"
	snapshotinformers "github.com/kubernetes-csi/external-snapshotter/client/v8/informers/externalversions"
	common "github.com/kubernetes-csi/external-snapshotter/v8/pkg/common-controller"
	snapshotmetrics "github.com/kubernetes-csi/external-snapshotter/v8/pkg/metrics"
	snapshotting "github.com/kubernetes-csi/external-snapshotter/v8/pkg/sidecar-controller"
	"github.com/kubernetes-csi/external-snapshotter/v8/pkg/snapshotter"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"

	"longshore/components/ebs-csi/ebs-csi/driver"
)

const (
	snapshotGroup   = "snapshot.storage.k8s.io/v1"
	snapshotLease   = "snapshot-controller-leader"
	snapshotPrefix  = "snapshot"
	groupPrefix     = "groupsnapshot"
	lookForGroup    = 10 * time.Second
	snapshotWorkers = 10
)

// snapshotter makes what VolumeSnapshotContents ask for, once the cluster has such objects.
func (own *Sidecars) snapshotter(ctx context.Context) {
	if !awaitSnapshots(ctx, own.client) {
		return
	}
	client, err := snapshots.NewForConfig(own.config)
	if err != nil {
		exit(err)
	}
	factory := snapshotinformers.NewSharedInformerFactory(client, resync)
	kinds := factory.Snapshot().V1()
	controller := snapshotting.NewCSISnapshotSideCarController(
		client, own.client, driver.Name, kinds.VolumeSnapshotContents(), kinds.VolumeSnapshotClasses(),
		snapshotter.NewSnapshotter(own.driver), nil, callTimeout, resync,
		snapshotPrefix, allOfUID, groupPrefix, allOfUID, own.ExtraMetadata, retries(),
		false, nil, nil, retries(), // no groups of snapshots
	)
	factory.Start(ctx.Done())
	controller.Run(snapshotWorkers, ctx.Done(), nil)
}

// awaitSnapshots is false where ctx ends first.
func awaitSnapshots(ctx context.Context, client kubernetes.Interface) bool {
	err := wait.PollUntilContextCancel(ctx, lookForGroup, true, func(context.Context) (bool, error) {
		_, err := client.Discovery().ServerResourcesForGroupVersion(snapshotGroup)
		return err == nil, nil
	})
	if err == nil {
		err = snapshotscheme.AddToScheme(scheme.Scheme)
	}
	return err == nil
}

// RunSnapshotController is Kubernetes' snapshot-controller: it joins VolumeSnapshots to their contents,
// whichever driver these are of.
func RunSnapshotController(ctx context.Context) error {
	config, client, err := cluster()
	if err != nil {
		return err
	}
	snapshotClient, err := snapshots.NewForConfig(config)
	if err != nil {
		return err
	}
	return lead(ctx, config, snapshotLease, func(ctx context.Context) {
		if !awaitSnapshots(ctx, client) {
			return
		}
		factory := snapshotinformers.NewSharedInformerFactory(snapshotClient, resync)
		cores := informers.NewSharedInformerFactory(client, resync)
		kinds, core := factory.Snapshot().V1(), cores.Core().V1()
		controller := common.NewCSISnapshotCommonController(
			snapshotClient, client, kinds.VolumeSnapshots(), kinds.VolumeSnapshotContents(),
			kinds.VolumeSnapshotClasses(), nil, nil, nil,
			core.PersistentVolumeClaims(), core.PersistentVolumes(), nil,
			snapshotmetrics.NewMetricsManager(), resync, retries(), retries(), retries(), retries(),
			false, // snapshots by each node
			true,  // prevent changes of the volume mode
			false, // no groups of snapshots
		)
		factory.Start(ctx.Done())
		cores.Start(ctx.Done())
		controller.Run(snapshotWorkers, ctx.Done(), nil)
	})
}

// exit ends the process, which the kubelet starts again.
func exit(err error) {
	klog.ErrorS(err, "a controller does not start")
	klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	os.Exit(1)
}
