// Command kms-plugin encrypts what the API server beside it keeps with a key of KMS ("Using a KMS provider
// for data encryption", Kubernetes), as the role whose credentials its task has. Upstream's server of
// k8s.io/kms speaks to the API server, and AWS's signer to KMS.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"k8s.io/kms/pkg/service"
)

const (
	callTimeout = 3 * time.Second
	// Credentials are asked for anew when they have less than this left.
	leastLeft = 5 * time.Minute
	largest   = 1 << 20
	container = "http://169.254.170.2"
	relative  = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
	full      = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	probe     = "is the key of use"
)

// plugin is a provider of KMS v2, with one key and one encryption context.
type plugin struct {
	endpoint, region, key string
	context               map[string]string
	client                http.Client

	lock        sync.Mutex
	credentials aws.Credentials
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "kms-plugin: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	flags := flag.NewFlagSet("kms-plugin", flag.ContinueOnError)
	listen := flags.String("listen", "", "the unix socket; @ before its name is an abstract one")
	key := flags.String("key-arn", "", "the KMS key")
	cluster := flags.String("cluster-arn", "", "the cluster, whose ARN is the encryption context")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	parts := strings.Split(*key, ":")
	if *listen == "" || *cluster == "" || len(parts) != 6 {
		return errors.New("--listen, --key-arn and --cluster-arn are needed")
	}
	provider := &plugin{
		endpoint: os.Getenv("AWS_ENDPOINT_URL"),
		region:   parts[3],
		key:      *key,
		context:  map[string]string{"aws:eks:cluster-arn": *cluster},
		// The endpoint is in the VPC: no proxy is between.
		client: http.Client{Timeout: callTimeout, Transport: &http.Transport{}},
	}
	return service.NewGRPCService(*listen, callTimeout, provider).ListenAndServe()
}

// Status tries the key: a provider is well while it can encrypt.
func (plugin *plugin) Status(ctx context.Context) (*service.StatusResponse, error) {
	if _, err := plugin.Encrypt(ctx, "", []byte(probe)); err != nil {
		return nil, err
	}
	return &service.StatusResponse{Version: "v2", Healthz: "ok", KeyID: plugin.key}, nil
}

// Encrypt is asked for the API server's own keys, seldom: those encrypt its objects.
func (plugin *plugin) Encrypt(ctx context.Context, _ string, plaintext []byte) (*service.EncryptResponse, error) {
	var answer struct{ CiphertextBlob []byte }
	request := map[string]any{"KeyId": plugin.key, "Plaintext": plaintext, "EncryptionContext": plugin.context}
	if err := plugin.call(ctx, "Encrypt", request, &answer); err != nil {
		return nil, err
	}
	return &service.EncryptResponse{Ciphertext: answer.CiphertextBlob, KeyID: plugin.key}, nil
}

// Decrypt is asked when an API server starts, and for each key that it has not seen.
func (plugin *plugin) Decrypt(ctx context.Context, _ string, asked *service.DecryptRequest) ([]byte, error) {
	var answer struct{ Plaintext []byte }
	request := map[string]any{"CiphertextBlob": asked.Ciphertext, "EncryptionContext": plugin.context}
	err := plugin.call(ctx, "Decrypt", request, &answer)
	return answer.Plaintext, err
}

func (plugin *plugin) call(ctx context.Context, operation string, asked map[string]any, answer any) error {
	credentials, err := plugin.current(ctx)
	if err != nil {
		return fmt.Errorf("%s: credentials: %w", operation, err)
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, plugin.endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "TrentService."+operation)
	digest := sha256.Sum256(body)
	err = signer.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(digest[:]), "kms", plugin.region, time.Now())
	if err != nil {
		return err
	}
	return plugin.read(request, operation, answer)
}

// current are the task's credentials ("Container credential provider", AWS SDKs and Tools Reference
// Guide).
func (plugin *plugin) current(ctx context.Context) (aws.Credentials, error) {
	plugin.lock.Lock()
	defer plugin.lock.Unlock()
	if time.Until(plugin.credentials.Expires) > leastLeft {
		return plugin.credentials, nil
	}
	from := os.Getenv(full)
	if path := os.Getenv(relative); path != "" {
		from = container + path
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return aws.Credentials{}, err
	}
	var found struct {
		AccessKeyID, SecretAccessKey, Token string
		Expiration                          time.Time
	}
	if err := plugin.read(request, "credentials", &found); err != nil {
		return aws.Credentials{}, err
	}
	plugin.credentials = aws.Credentials{
		AccessKeyID: found.AccessKeyID, SecretAccessKey: found.SecretAccessKey,
		SessionToken: found.Token, CanExpire: true, Expires: found.Expiration,
	}
	return plugin.credentials, nil
}

func (plugin *plugin) read(request *http.Request, what string, answer any) error {
	response, err := plugin.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, largest))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", what, response.Status, text)
	}
	return json.Unmarshal(text, answer)
}
