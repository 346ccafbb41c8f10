// Package credentials gives the kubelet what it shows to others: a token for the cluster's API
// server, a login for registries. Both speak for the instance's role.
package credentials

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"longshore/components/node/longshore-node/imds"
)

const (
	tokenPrefix   = "k8s-aws-v1."
	clusterHeader = "x-k8s-aws-id"
	// As `aws eks get-token` has them: the URL's, and what the kubelet is told, a minute less than
	// the quarter of an hour for which the token is taken.
	urlSeconds    = "60"
	tokenLifetime = 14 * time.Minute
	emptyBody     = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	timeout       = 30 * time.Second
)

// ExecVersion is the version of client-go's credential plugins that Token answers as.
const ExecVersion = "client.authentication.k8s.io/v1"

// Token prints an ExecCredential for a cluster ("client-go credential plugins", Kubernetes).
func Token(arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	cluster := flags.String("cluster", "", "the cluster's name")
	region := flags.String("region", "", "the cluster's region, by default the instance's own")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *cluster == "" {
		return errors.New("--cluster says for which cluster; it is missing")
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	client := imds.New()
	if *region == "" {
		found, err := client.Get(ctx, "meta-data/placement/region")
		if err != nil {
			return err
		}
		*region = strings.TrimSpace(found)
	}
	role, err := client.Credentials(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	token, err := presign(ctx, role, *cluster, *region, now)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]any{
		"apiVersion": ExecVersion,
		"kind":       "ExecCredential",
		"spec":       map[string]any{"interactive": false},
		"status": map[string]string{
			"token":               token,
			"expirationTimestamp": now.Add(tokenLifetime).UTC().Format(time.RFC3339),
		},
	})
}

// presign is the token of AWS IAM Authenticator for Kubernetes: a signed call of GetCallerIdentity.
func presign(ctx context.Context, role aws.Credentials, cluster, region string, now time.Time) (string, error) {
	query := url.Values{
		"Action":        {"GetCallerIdentity"},
		"Version":       {"2011-06-15"},
		"X-Amz-Expires": {urlSeconds},
	}
	address := fmt.Sprintf("https://sts.%s.%s/?%s", region, domain(region), query.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set(clusterHeader, cluster)
	signed, _, err := signer.NewSigner().PresignHTTP(ctx, role, request, emptyBody, "sts", region, now)
	if err != nil {
		return "", err
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(signed)), nil
}

// domain is that of AWS's partition: the endpoint's name is only signed, never asked for.
func domain(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
