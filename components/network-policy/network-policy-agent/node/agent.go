package node

import (
	"context"
	"errors"
	"log"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"longshore/components/network-policy/network-policy-agent/rules"
)

const (
	// gather is how long further changes are waited for: they come in crowds.
	gather = 20 * time.Millisecond
	// look is how often the table is written although nothing has changed, in case somebody has.
	look        = time.Minute
	again       = time.Second
	leaveWithin = 3 * time.Second
	credentials = "/var/run/secrets/kubernetes.io/serviceaccount/"
)

// Agent has one node's table as the cluster's policies want it.
type Agent struct {
	// Endpoint is the URL of the API server, Name the node's.
	Endpoint, Name string
	// Strict has pods closed until policies select them.
	Strict bool
	// Ledger is the folder in which the CNI plugin keeps who holds which address.
	Ledger string
	// DaemonSet is what the agent's pod belongs to: without it there is nobody to mend the table.
	DaemonSet string

	ready atomic.Bool
}

// Run goes on until it is told to end. What it has written stays: whoever comes next goes on from there.
func (agent *Agent) Run(ctx context.Context) error {
	changes := make(chan struct{}, 1)
	changed := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	found, err := watch(ctx, agent.config(), agent.DaemonSet, changed)
	if err != nil {
		return err
	}
	if err := follow(agent.Ledger, changed); err != nil {
		// The API server tells of addresses too, a moment later.
		log.Printf("addresses are not followed: %v", err)
	}
	for !found.isWhole() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(gather):
		}
	}
	written, due := "", time.Now()
	for {
		if text := found.text(agent.Name, agent.Strict, given(agent.Ledger)); text != written || !time.Now().Before(due) {
			if err := load(ctx, text); err != nil && ctx.Err() == nil {
				log.Printf("the table was not written: %v", err)
				written, due = "", time.Now().Add(again)
			} else {
				agent.tell(text, written)
				written, due = text, time.Now().Add(look)
			}
		}
		select {
		case <-ctx.Done():
			return agent.leave(found)
		case <-changes:
			time.Sleep(gather)
		case <-time.After(time.Until(due)):
		}
	}
}

func (agent *Agent) tell(text, before string) {
	agent.ready.Store(true)
	if heeded := text != rules.Removed; before == "" || heeded != (before != rules.Removed) {
		log.Printf("policies are enforced: %t, strictly: %t", heeded, agent.Strict)
	}
}

func (agent *Agent) config() *rest.Config {
	return &rest.Config{
		Host:            agent.Endpoint,
		BearerTokenFile: credentials + "token",
		TLSClientConfig: rest.TLSClientConfig{CAFile: credentials + "ca.crt"},
		UserAgent:       "network-policy-agent",
	}
}

// leave removes the table where the add-on itself is being removed.
func (agent *Agent) leave(found *cluster) error {
	if !found.isOrphan() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveWithin)
	defer cancel()
	return agent.Remove(ctx)
}

// Remove has no table, and all pods open.
func (agent *Agent) Remove(ctx context.Context) error {
	err := load(ctx, rules.Removed)
	agent.ready.Store(err == nil)
	return err
}

// Probes answers the kubelet: ready once the table is as the policies want it.
func (agent *Agent) Probes(address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(answer http.ResponseWriter, _ *http.Request) {
		if !agent.ready.Load() {
			http.Error(answer, "the policies are not known yet", http.StatusServiceUnavailable)
		}
	})
	server := http.Server{Addr: address, Handler: mux, ReadTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
