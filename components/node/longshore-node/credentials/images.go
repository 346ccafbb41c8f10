package credentials

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"longshore/components/node/longshore-node/api"
	"longshore/components/node/longshore-node/imds"
)

// ProviderVersion is the version of the kubelet's image credential providers that Images answers.
const ProviderVersion = "credentialprovider.kubelet.k8s.io/v1"

// <account>.dkr.ecr[-fips].<region>.<domain>[:<port>], of any domain: it is the installation's.
var ecrHost = regexp.MustCompile(`^(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+(?::\d+)?$`)

type providerRequest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Image      string `json:"image"`
}

type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// Images answers a CredentialProviderRequest ("Configure a kubelet image credential provider").
func Images(in io.Reader, out io.Writer) error {
	var request providerRequest
	if err := json.NewDecoder(in).Decode(&request); err != nil {
		return fmt.Errorf("the request is no JSON: %w", err)
	}
	if request.Kind != "CredentialProviderRequest" || request.APIVersion != ProviderVersion {
		return fmt.Errorf("the request is a %s of %s; this answers a CredentialProviderRequest of %s",
			request.Kind, request.APIVersion, ProviderVersion)
	}
	host, account, region, err := registryOf(request.Image)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	role, err := imds.New().Credentials(ctx)
	if err != nil {
		return err
	}
	client, err := api.New(region, role)
	if err != nil {
		return err
	}
	found, err := client.RegistryLogin(ctx, account)
	if err != nil {
		return fmt.Errorf("login for %s: %w", host, err)
	}
	return json.NewEncoder(out).Encode(map[string]any{
		"apiVersion":    ProviderVersion,
		"kind":          "CredentialProviderResponse",
		"cacheKeyType":  "Registry",
		"cacheDuration": cacheDuration(found.Expires, time.Now()).String(),
		"auth":          map[string]login{host: {found.User, found.Password}},
	})
}

// registryOf is the registry's host, with its port, and the account and region in it.
func registryOf(image string) (host, account, region string, err error) {
	host, _, _ = strings.Cut(image, "/")
	parts := ecrHost.FindStringSubmatch(host)
	if parts == nil {
		return "", "", "", fmt.Errorf("%q is no image of a private registry of ECR", image)
	}
	return host, parts[1], parts[2], nil
}

// cacheDuration is half of what is left: nobody is given a login that is about to end.
func cacheDuration(expires, now time.Time) time.Duration {
	return max(expires.Sub(now)/2, 0).Truncate(time.Second)
}
