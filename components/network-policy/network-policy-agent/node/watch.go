package node

import (
	"context"
	"net/netip"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"longshore/components/network-policy/network-policy-agent/rules"
)

const (
	// Namespace and Switch are the ConfigMap that has EKS's control plane heed NetworkPolicies.
	Namespace = "kube-system"
	Switch    = "amazon-vpc-cni"
	switchKey = "enable-network-policy-controller"
)

// cluster is what the API server has told, kept up to date.
type cluster struct {
	pods, namespaces, policies, switches, owners cache.Store
	controllers                                  []cache.Controller
}

// watch begins to keep a cluster, and the DaemonSet of this name; each change is told.
func watch(ctx context.Context, config *rest.Config, owner string, changed func()) (*cluster, error) {
	coreClient, err := clientOf(config, core.SchemeGroupVersion, "/api", core.AddToScheme)
	if err != nil {
		return nil, err
	}
	networkingClient, err := clientOf(config, networking.SchemeGroupVersion, "/apis", networking.AddToScheme)
	if err != nil {
		return nil, err
	}
	appsClient, err := clientOf(config, apps.SchemeGroupVersion, "/apis", apps.AddToScheme)
	if err != nil {
		return nil, err
	}
	made := &cluster{}
	made.pods = made.keep(coreClient, "pods", meta.NamespaceAll, fields.Everything(), &core.Pod{}, changed)
	made.namespaces = made.keep(coreClient, "namespaces", meta.NamespaceAll, fields.Everything(), &core.Namespace{}, changed)
	made.policies = made.keep(networkingClient, "networkpolicies", meta.NamespaceAll, fields.Everything(), &networking.NetworkPolicy{}, changed)
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	made.switches = made.keep(coreClient, "configmaps", Namespace, named(Switch), &core.ConfigMap{}, changed)
	made.owners = made.keep(appsClient, "daemonsets", Namespace, named(owner), &apps.DaemonSet{}, changed)
	for _, each := range made.controllers {
		go each.Run(ctx.Done())
	}
	return made, nil
}

// clientOf speaks of the objects of one group.
func clientOf(config *rest.Config, version schema.GroupVersion, path string, add func(*runtime.Scheme) error) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := add(scheme); err != nil {
		return nil, err
	}
	meta.AddToGroupVersion(scheme, version)
	meta.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	own := rest.CopyConfig(config)
	own.APIPath, own.GroupVersion = path, &version
	own.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	own.ContentType = "application/vnd.kubernetes.protobuf"
	own.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return rest.RESTClientFor(own)
}

func (found *cluster) keep(client *rest.RESTClient, resource, namespace string, chosen fields.Selector, kind runtime.Object, changed func()) cache.Store {
	store, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(client, resource, namespace, chosen),
		ObjectType:    kind,
		Transform:     trimmed,
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { changed() },
			UpdateFunc: func(any, any) { changed() },
			DeleteFunc: func(any) { changed() },
		},
	})
	found.controllers = append(found.controllers, controller)
	return store
}

// trimmed leaves of pods what rules are made of: a cluster may have many.
func trimmed(found any) (any, error) {
	pod, is := found.(*core.Pod)
	if !is {
		return found, nil
	}
	kept := &core.Pod{
		ObjectMeta: meta.ObjectMeta{
			Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			Labels: pod.Labels, DeletionTimestamp: pod.DeletionTimestamp,
		},
		Spec:   core.PodSpec{NodeName: pod.Spec.NodeName, HostNetwork: pod.Spec.HostNetwork},
		Status: core.PodStatus{Phase: pod.Status.Phase, PodIP: pod.Status.PodIP},
	}
	if written, has := pod.Annotations[rules.OwnInterface]; has {
		kept.Annotations = map[string]string{rules.OwnInterface: written}
	}
	for _, each := range pod.Spec.Containers {
		kept.Spec.Containers = append(kept.Spec.Containers, core.Container{Ports: each.Ports})
	}
	for _, each := range pod.Spec.InitContainers {
		kept.Spec.InitContainers = append(kept.Spec.InitContainers, core.Container{Ports: each.Ports, RestartPolicy: each.RestartPolicy})
	}
	return kept, nil
}

// isWhole says whether all that there was at the beginning has been told.
func (found *cluster) isWhole() bool {
	for _, each := range found.controllers {
		if !each.HasSynced() {
			return false
		}
	}
	return true
}

// isHeeded says whether the cluster's switch is on.
func (found *cluster) isHeeded() bool {
	for _, each := range listed[core.ConfigMap](found.switches) {
		return each.Data[switchKey] == "true"
	}
	return false
}

// isOrphan says whether the DaemonSet was there and is gone, or going.
func (found *cluster) isOrphan() bool {
	for _, each := range listed[apps.DaemonSet](found.owners) {
		return each.DeletionTimestamp != nil
	}
	return found.isWhole()
}

// text is the table that this node is to have, which has given its pods these addresses.
func (found *cluster) text(name string, strict bool, given map[types.UID]netip.Addr) string {
	if !found.isHeeded() {
		return rules.Removed
	}
	return rules.Compile(rules.Cluster{
		Given:      given,
		Pods:       listed[core.Pod](found.pods),
		Namespaces: listed[core.Namespace](found.namespaces),
		Policies:   listed[networking.NetworkPolicy](found.policies),
	}, name, strict)
}

func listed[O any](store cache.Store) []*O {
	var found []*O
	for _, each := range store.List() {
		found = append(found, each.(*O))
	}
	return found
}
