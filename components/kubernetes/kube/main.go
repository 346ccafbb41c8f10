// Command kube is upstream Kubernetes with its etcd, in one program: the first argument says which
// of upstream's commands it is.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"go.uber.org/zap"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"longshore/components/kubernetes/kube/snapshots"
)

// servers are made as upstream's own mains make them.
var servers = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-proxy":              proxy.NewProxyCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kube COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	os.Args = os.Args[1:]
	switch name := os.Args[0]; name {
	case "etcd":
		etcd()
	case "kubectl":
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			util.CheckErr(err)
		}
	default:
		server, ok := servers[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "kube: there is no command %s\n", name)
			os.Exit(2)
		}
		os.Exit(cli.Run(server()))
	}
}

// etcd is upstream's, with snapshots where it is told of a directory for them.
func etcd() {
	log, err := zap.NewProduction()
	if err == nil {
		var kept *snapshots.Kept
		kept, os.Args, err = snapshots.Split(os.Args, log)
		if err == nil && kept != nil {
			err = kept.Prepare()
			go kept.Run(context.Background())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		os.Exit(1)
	}
	etcdmain.Main(os.Args)
}
