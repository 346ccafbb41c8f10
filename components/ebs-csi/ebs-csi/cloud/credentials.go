package cloud

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"longshore/components/node/longshore-node/api"
	"longshore/components/node/longshore-node/imds"
)

const (
	stsVersion  = "2011-06-15"
	sessionName = "ebs-csi-driver"
	// Credentials are asked for anew when they have less than this left.
	leastLeft   = 5 * time.Minute
	callTimeout = 20 * time.Second
	largest     = 1 << 20
)

// identity is the pod's: the role of its service account (IAM roles for service accounts, EKS Pod
// Identity), or else the role of the instance that it runs on. The order and the variables are those
// of AWS's SDKs ("Standardized credential providers", AWS SDKs and Tools Reference Guide).
type identity struct {
	lock sync.Mutex
	held *api.Client
}

// client calls with credentials that are good for some minutes yet. Connections are kept: calls under
// way share them, with the credentials that they were begun with.
func (own *identity) client(ctx context.Context) (*api.Client, error) {
	own.lock.Lock()
	defer own.lock.Unlock()
	if own.held == nil {
		region, err := findRegion(ctx)
		if err != nil {
			return nil, err
		}
		if own.held, err = api.New(region, aws.Credentials{}); err != nil {
			return nil, err
		}
	}
	if time.Until(own.held.Credentials.Expires) > leastLeft {
		return own.held, nil
	}
	role, err := credentials(ctx, own.held.Endpoint)
	if err != nil {
		return nil, err
	}
	renewed := *own.held
	renewed.Credentials = role
	own.held = &renewed
	return own.held, nil
}

func findRegion(ctx context.Context) (string, error) {
	if region := os.Getenv("AWS_REGION"); region != "" {
		return region, nil
	}
	region, err := imds.New().Get(ctx, "meta-data/placement/region")
	return strings.TrimSpace(region), err
}

func credentials(ctx context.Context, endpoint string) (aws.Credentials, error) {
	if file := os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"); file != "" {
		return ofWebIdentity(ctx, endpoint, os.Getenv("AWS_ROLE_ARN"), file)
	}
	if agent := os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"); agent != "" {
		return ofAgent(ctx, agent, os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
	}
	return imds.New().Credentials(ctx)
}

// ofWebIdentity shows STS the token of the service account; the call itself is signed by nobody.
func ofWebIdentity(ctx context.Context, endpoint, role, file string) (aws.Credentials, error) {
	token, err := os.ReadFile(file)
	if err != nil {
		return aws.Credentials{}, err
	}
	form := url.Values{
		"Action":           {"AssumeRoleWithWebIdentity"},
		"Version":          {stsVersion},
		"RoleArn":          {role},
		"RoleSessionName":  {sessionName},
		"WebIdentityToken": {strings.TrimSpace(string(token))},
	}
	request, err := http.NewRequestWithContext(
		ctx, http.MethodPost, endpoint+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return aws.Credentials{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	text, err := do(request)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("AssumeRoleWithWebIdentity for %s: %w", role, err)
	}
	var answer struct {
		KeyID   string    `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
		Secret  string    `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
		Token   string    `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
		Expires time.Time `xml:"AssumeRoleWithWebIdentityResult>Credentials>Expiration"`
	}
	if err := xml.Unmarshal(text, &answer); err != nil {
		return aws.Credentials{}, fmt.Errorf("AssumeRoleWithWebIdentity: %w", err)
	}
	return session(answer.KeyID, answer.Secret, answer.Token, answer.Expires), nil
}

// ofAgent shows the EKS Pod Identity Agent the token of the pod.
func ofAgent(ctx context.Context, agent, file string) (aws.Credentials, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, agent, nil)
	if err != nil {
		return aws.Credentials{}, err
	}
	token, err := os.ReadFile(file)
	if err != nil {
		return aws.Credentials{}, err
	}
	request.Header.Set("Authorization", strings.TrimSpace(string(token)))
	text, err := do(request)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("EKS Pod Identity: %w", err)
	}
	var answer struct {
		AccessKeyId, SecretAccessKey, Token string
		Expiration                          time.Time
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return aws.Credentials{}, fmt.Errorf("EKS Pod Identity: %w", err)
	}
	return session(answer.AccessKeyId, answer.SecretAccessKey, answer.Token, answer.Expiration), nil
}

func session(keyID, secret, token string, expires time.Time) aws.Credentials {
	return aws.Credentials{
		AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: token,
		CanExpire: true, Expires: expires,
	}
}

func do(request *http.Request) ([]byte, error) {
	client := http.Client{Timeout: callTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, largest))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s: %s", response.Status, text)
	}
	return text, err
}
