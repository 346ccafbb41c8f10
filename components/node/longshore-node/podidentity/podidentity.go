// Package podidentity is the EKS Pod Identity Agent: on each node it gives pods the credentials of
// their service account's role, for the token that they show ("EKS Pod Identity", Amazon EKS User
// Guide). Paths, ports and flags are those of AWS's agent.
package podidentity

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/vishvananda/netlink"

	"longshore/components/node/longshore-node/api"
	"longshore/components/node/longshore-node/imds"
)

const (
	// Address is where pods ask, on whichever node they are.
	Address = "169.254.170.23"
	path    = "/v1/credentials"
	timeout = 20 * time.Second
	// The node's own credentials are asked for anew when they have less than this left.
	leastLeft = 5 * time.Minute
	device    = "lo"
)

// Run is `initialize`, which gives the node the agent's address, or `server`.
func Run(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("initialize or server: which one is missing")
	}
	switch arguments[0] {
	case "initialize":
		return initialize()
	case "server":
		return serve(arguments[1:])
	default:
		return fmt.Errorf("%q is neither initialize nor server", arguments[0])
	}
}

// initialize needs the node's network, and the right to change it.
func initialize() error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	address := &net.IPNet{IP: net.ParseIP(Address).To4(), Mask: net.CIDRMask(32, 32)}
	if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: address, Scope: int(netlink.SCOPE_LINK)}); err != nil {
		return fmt.Errorf("address %s: %w", Address, err)
	}
	return nil
}

func serve(arguments []string) error {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	cluster := flags.String("cluster-name", "", "the cluster that the node is of")
	port := flags.Int("port", 80, "where pods ask")
	probes := flags.Int("probe-port", 2703, "where the kubelet asks whether the agent is well")
	address := flags.String("bind-host", Address, "the address that pods ask at")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *cluster == "" {
		return errors.New("--cluster-name is missing")
	}
	ends := make(chan error, 2)
	go listen(ends, net.JoinHostPort(*address, strconv.Itoa(*port)), Handler(&node{cluster: *cluster}))
	go listen(ends, net.JoinHostPort("localhost", strconv.Itoa(*probes)), probeHandler())
	return <-ends
}

func listen(ends chan<- error, address string, handler http.Handler) {
	server := http.Server{
		Addr: address, Handler: handler,
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 2 * timeout, MaxHeaderBytes: 64 << 10,
	}
	ends <- server.ListenAndServe()
}

func probeHandler() http.Handler {
	mux := http.NewServeMux()
	well := func(answer http.ResponseWriter, _ *http.Request) { answer.WriteHeader(http.StatusOK) }
	mux.HandleFunc("GET /healthz", well)
	mux.HandleFunc("GET /readyz", well)
	return mux
}

// Source gives credentials for the token of a pod.
type Source interface {
	Credentials(ctx context.Context, token string) (api.PodCredentials, error)
}

// Handler answers AWS's SDKs ("Container credential provider", AWS SDKs and Tools Reference Guide).
func Handler(source Source) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, func(answer http.ResponseWriter, request *http.Request) {
		token := strings.TrimSpace(request.Header.Get("Authorization"))
		if token == "" {
			http.Error(answer, "the request has no token of a service account: Authorization is missing", http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(request.Context(), timeout)
		defer cancel()
		found, err := source.Credentials(ctx, token)
		if err != nil {
			log.Printf("credentials were refused: %v", err)
			http.Error(answer, err.Error(), statusOf(err))
			return
		}
		answer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(answer).Encode(map[string]string{
			"AccessKeyId":     found.AccessKeyID,
			"SecretAccessKey": found.SecretAccessKey,
			"Token":           found.SessionToken,
			"AccountId":       found.AccountID,
			"Expiration":      found.Expires.Format(time.RFC3339),
		})
	})
	return mux
}

func statusOf(err error) int {
	var refusal *api.Refusal
	if errors.As(err, &refusal) && refusal.Status >= 400 {
		return refusal.Status
	}
	return http.StatusInternalServerError
}

// node asks as the role of the instance that it runs on.
type node struct {
	cluster string

	lock   sync.Mutex
	region string
	role   aws.Credentials
}

func (own *node) Credentials(ctx context.Context, token string) (api.PodCredentials, error) {
	region, role, err := own.identity(ctx)
	if err != nil {
		return api.PodCredentials{}, err
	}
	client, err := api.New(region, role)
	if err != nil {
		return api.PodCredentials{}, err
	}
	return client.AssumeRoleForPodIdentity(ctx, own.cluster, token)
}

func (own *node) identity(ctx context.Context) (string, aws.Credentials, error) {
	own.lock.Lock()
	defer own.lock.Unlock()
	if own.region != "" && time.Until(own.role.Expires) > leastLeft {
		return own.region, own.role, nil
	}
	client := imds.New()
	region, err := client.Get(ctx, "meta-data/placement/region")
	if err != nil {
		return "", aws.Credentials{}, err
	}
	role, err := client.Credentials(ctx)
	if err != nil {
		return "", aws.Credentials{}, err
	}
	own.region, own.role = strings.TrimSpace(region), role
	return own.region, own.role, nil
}
