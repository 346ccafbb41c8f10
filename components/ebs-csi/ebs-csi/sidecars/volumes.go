package sidecars

import (
	"context"
	"os"
	"time"

	attachers "github.com/kubernetes-csi/external-attacher/v4/pkg/attacher"
	attaching "github.com/kubernetes-csi/external-attacher/v4/pkg/controller"
	provisioning "github.com/kubernetes-csi/external-provisioner/v6/pkg/controller"
	resizing "github.com/kubernetes-csi/external-resizer/v2/pkg/controller"
	resizercsi "github.com/kubernetes-csi/external-resizer/v2/pkg/csi"
	resizers "github.com/kubernetes-csi/external-resizer/v2/pkg/resizer"
	snapshots "github.com/kubernetes-csi/external-snapshotter/client/v8/clientset/versioned"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/util/workqueue"
	translation "k8s.io/csi-translation-lib"
	"k8s.io/klog/v2"
	provisioner "sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"longshore/components/ebs-csi/ebs-csi/driver"
)

// Names of volumes are "pvc-" and the UID of their claim, all of it.
const (
	namePrefix = "pvc"
	allOfUID   = -1
)

// provisioner makes and deletes volumes for claims, those of the in-tree plug-in kubernetes.io/aws-ebs too.
func (own *Sidecars) provisioner(ctx context.Context, factory informers.SharedInformerFactory) (func(), error) {
	plugin, abilities, err := provisioning.GetDriverCapabilities(own.driver, callTimeout)
	if err != nil {
		return nil, err
	}
	snapshotClient, err := snapshots.NewForConfig(own.config)
	if err != nil {
		return nil, err
	}
	translator := translation.New()
	inTree, err := translator.GetInTreeNameFromCSIName(driver.Name)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	core, storage := factory.Core().V1(), factory.Storage().V1()
	made := provisioning.NewCSIProvisioner(
		own.client, callTimeout, host+"-"+driver.Name, namePrefix, allOfUID, own.driver, snapshotClient,
		driver.Name, plugin, abilities, inTree,
		false, // strict topology
		true,  // immediate topology
		translator, storage.StorageClasses().Lister(), storage.CSINodes().Lister(), core.Nodes().Lister(),
		core.PersistentVolumeClaims().Lister(), storage.VolumeAttachments().Lister(),
		nil, // reference grants
		own.ExtraMetadata, own.DefaultFS,
		nil,   // deployment on each node
		false, // read-only by the controller
		true,  // prevent changes of the volume mode
		provisioning.NewInMemoryStore(),
	)
	controller := provisioner.NewProvisionController(
		ctx, own.client, driver.Name, made,
		provisioner.LeaderElection(false),
		provisioner.FailedProvisionThreshold(0),
		provisioner.FailedDeleteThreshold(0),
		provisioner.RateLimiter(retries()),
		provisioner.RetryIntervalMax(retryLast),
		provisioner.Threadiness(workers),
		provisioner.CreateProvisionedPVLimiter(workqueue.DefaultTypedControllerRateLimiter[string]()),
		provisioner.ClaimsInformer(core.PersistentVolumeClaims().Informer()),
		provisioner.VolumesInformer(core.PersistentVolumes().Informer()),
		provisioner.ClassesInformer(storage.StorageClasses().Informer()),
		provisioner.AddFinalizer(true),
		provisioner.AdditionalProvisionerNames([]string{inTree}),
	)
	return func() { controller.Run(ctx) }, nil
}

// attacher has volumes at the nodes that VolumeAttachments name.
func (own *Sidecars) attacher(ctx context.Context, factory informers.SharedInformerFactory) (func(), error) {
	core, storage := factory.Core().V1(), factory.Storage().V1()
	timeout := callTimeout
	handler := attaching.NewCSIHandler(
		own.client, driver.Name, attachers.NewAttacher(own.driver), attachers.NewVolumeLister(own.driver, 0),
		core.PersistentVolumes().Lister(), storage.CSINodes().Lister(), storage.VolumeAttachments().Lister(),
		&timeout,
		false, // read-only by the controller
		true,  // the access mode ReadWriteOncePod
		translation.New(), own.DefaultFS,
	)
	controller := attaching.NewCSIAttachController(
		klog.FromContext(ctx), own.client, driver.Name, handler, storage.VolumeAttachments(),
		core.PersistentVolumes(), retries(), retries(),
		false, // compare with what the driver lists
		time.Minute,
	)
	return func() { controller.Run(ctx, workers, nil) }, nil
}

// resizer makes volumes as large as their claims ask.
func (own *Sidecars) resizer(ctx context.Context, factory informers.SharedInformerFactory) (func(), error) {
	client, err := resizercsi.New(ctx, own.address, callTimeout, own.metrics)
	if err != nil {
		return nil, err
	}
	made, err := resizers.NewResizerFromClient(client, callTimeout, own.client, driver.Name)
	if err != nil {
		return nil, err
	}
	controller := resizing.NewResizeController(
		driver.Name, made, own.client, resync, factory, retries(),
		false, // EBS volumes grow while they are in use
		retryLast,
	)
	return func() { controller.Run(workers, ctx, nil) }, nil
}
