// Package imds asks the instance's metadata service, by its version 2 ("Use the Instance Metadata
// Service to access instance metadata", EC2 User Guide).
package imds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	address = "http://169.254.169.254"
	// Endpoint is the environment variable of AWS's SDKs that names another address.
	Endpoint     = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
	tokenSeconds = "300"
	callTimeout  = 5 * time.Second
	largest      = 1 << 20
)

// ErrAbsent is a path that the service does not have.
var ErrAbsent = errors.New("the instance has no such metadata")

// Client keeps a token for the few seconds that a command takes.
type Client struct {
	base  string
	http  http.Client
	token string
}

// New is a client of this instance's service.
func New() *Client {
	base := os.Getenv(Endpoint)
	if base == "" {
		base = address
	}
	return &Client{base: strings.TrimSuffix(base, "/"), http: http.Client{
		Timeout: callTimeout,
		// A proxy would answer with its own metadata.
		Transport: &http.Transport{DisableKeepAlives: true},
	}}
}

// Get is what lies at a path below /latest/, as user-data or meta-data/mac. ErrAbsent for none.
func (client *Client) Get(ctx context.Context, path string) (string, error) {
	if client.token == "" {
		token, err := client.call(ctx, http.MethodPut, "api/token", "X-aws-ec2-metadata-token-ttl-seconds", tokenSeconds)
		if err != nil {
			return "", fmt.Errorf("instance metadata: %w", err)
		}
		client.token = token
	}
	text, err := client.call(ctx, http.MethodGet, path, "X-aws-ec2-metadata-token", client.token)
	if err != nil {
		return "", fmt.Errorf("instance metadata %s: %w", path, err)
	}
	return text, nil
}

// Wait asks until the service answers, or ctx ends: at boot it may come a moment later.
func (client *Client) Wait(ctx context.Context, path string) (string, error) {
	for {
		text, err := client.Get(ctx, path)
		if err == nil || errors.Is(err, ErrAbsent) {
			return text, err
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(time.Second / 2):
		}
	}
}

func (client *Client) call(ctx context.Context, method, path, header, value string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, client.base+"/latest/"+path, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set(header, value)
	response, err := client.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, largest))
	switch {
	case err != nil:
		return "", err
	case response.StatusCode == http.StatusNotFound:
		return "", ErrAbsent
	case response.StatusCode != http.StatusOK:
		return "", fmt.Errorf("answered %s", response.Status)
	}
	return string(body), nil
}

// Identity is the part of the instance identity document that a node is made of.
type Identity struct {
	AccountID    string `json:"accountId"`
	InstanceID   string `json:"instanceId"`
	InstanceType string `json:"instanceType"`
	PrivateIP    string `json:"privateIp"`
	Region       string `json:"region"`
	Zone         string `json:"availabilityZone"`
}

// Identity is who this instance is.
func (client *Client) Identity(ctx context.Context) (Identity, error) {
	var identity Identity
	text, err := client.Get(ctx, "dynamic/instance-identity/document")
	if err != nil {
		return identity, err
	}
	if err := json.Unmarshal([]byte(text), &identity); err != nil {
		return identity, fmt.Errorf("instance identity document: %w", err)
	}
	return identity, nil
}

// Credentials are those of the instance's role.
func (client *Client) Credentials(ctx context.Context) (aws.Credentials, error) {
	const folder = "meta-data/iam/security-credentials/"
	role, err := client.Get(ctx, folder)
	if errors.Is(err, ErrAbsent) {
		return aws.Credentials{}, errors.New("the instance has no role: it has no instance profile, or a profile without one")
	}
	if err != nil {
		return aws.Credentials{}, err
	}
	name, _, _ := strings.Cut(strings.TrimSpace(role), "\n")
	text, err := client.Get(ctx, folder+name)
	if err != nil {
		return aws.Credentials{}, err
	}
	return parseCredentials(name, text)
}

func parseCredentials(role, text string) (aws.Credentials, error) {
	var found struct {
		Code, Message, AccessKeyId, SecretAccessKey, Token string
		Expiration                                         time.Time
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return aws.Credentials{}, fmt.Errorf("credentials of role %s: %w", role, err)
	}
	if found.Code != "Success" || found.AccessKeyId == "" {
		return aws.Credentials{}, fmt.Errorf("no credentials of role %s: %s %s", role, found.Code, found.Message)
	}
	return aws.Credentials{
		AccessKeyID:     found.AccessKeyId,
		SecretAccessKey: found.SecretAccessKey,
		SessionToken:    found.Token,
		CanExpire:       true,
		Expires:         found.Expiration,
	}, nil
}

// Interface is the instance's primary network interface, as its pods' addresses need it.
type Interface struct {
	ID        string
	MAC       string
	Primary   string
	Secondary []string
}

// Primary asks for the interface that the instance was launched with, and its addresses now.
func (client *Client) Primary(ctx context.Context) (Interface, error) {
	mac, err := client.Get(ctx, "meta-data/mac")
	if err != nil {
		return Interface{}, err
	}
	found := Interface{MAC: strings.TrimSpace(mac)}
	if found.ID, err = client.Of(ctx, found.MAC, "interface-id"); err != nil {
		return found, err
	}
	listed, err := client.Of(ctx, found.MAC, "local-ipv4s")
	if err != nil {
		return found, err
	}
	addresses := strings.Fields(listed)
	if len(addresses) == 0 {
		return found, fmt.Errorf("interface %s has no address", found.ID)
	}
	found.Primary, found.Secondary = addresses[0], addresses[1:]
	return found, nil
}

// Of is one of the facts of the interface with this MAC address, as vpc-ipv4-cidr-blocks.
func (client *Client) Of(ctx context.Context, mac, fact string) (string, error) {
	text, err := client.Get(ctx, "meta-data/network/interfaces/macs/"+mac+"/"+fact)
	return strings.TrimSpace(text), err
}
