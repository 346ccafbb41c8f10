// Command network-policy-agent enforces the NetworkPolicies of an EKS cluster for the pods of one node. Its
// flags and variables are those of AWS's agent, as far as they mean something here (aws-network-policy-agent;
// "Restrict Pod network traffic with Kubernetes network policies", Amazon EKS User Guide).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"longshore/components/network-policy/network-policy-agent/node"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "network-policy-agent: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	enabled := flag.Bool("enable-network-policy", false, "whether NetworkPolicies are enforced")
	probes := flag.String("health-probe-bind-addr", "127.0.0.1:8163", "where the kubelet asks whether the agent is well")
	ledger := flag.String("ledger", "/var/lib/cni/longshore", "the folder in which the CNI plugin keeps addresses")
	daemonSet := flag.String("daemon-set", "aws-node", "what the agent's pod belongs to")
	flag.Parse()
	agent := &node.Agent{
		Endpoint: os.Getenv("CLUSTER_ENDPOINT"), Name: os.Getenv("MY_NODE_NAME"), DaemonSet: *daemonSet,
		Ledger: *ledger,
	}
	switch mode := os.Getenv("NETWORK_POLICY_ENFORCING_MODE"); mode {
	case "", "standard":
	case "strict":
		agent.Strict = true
	default:
		return fmt.Errorf("NETWORK_POLICY_ENFORCING_MODE is standard or strict, not %q", mode)
	}
	if agent.Endpoint == "" || agent.Name == "" {
		return fmt.Errorf("CLUSTER_ENDPOINT and MY_NODE_NAME say whose policies to enforce: one is missing")
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	ends := make(chan error, 2)
	go func() { ends <- agent.Probes(*probes) }()
	go func() { ends <- act(ctx, agent, *enabled) }()
	return <-ends
}

func act(ctx context.Context, agent *node.Agent, enabled bool) error {
	if enabled {
		return agent.Run(ctx)
	}
	if err := agent.Remove(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
