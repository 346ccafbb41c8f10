// Package api calls AWS's operations at this installation's endpoint, as the instance's role.
package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	// EndpointFile has the URL of the installation's API, written when the instance is made.
	EndpointFile = "/etc/longshore/endpoint"
	endpointName = "AWS_ENDPOINT_URL"
	ec2Version   = "2016-11-15"
	callTimeout  = 20 * time.Second
	largest      = 4 << 20
)

// Error is an error that the API answered.
type Error struct {
	Operation, Code, Message string
}

func (failure *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s", failure.Operation, failure.Code, failure.Message)
}

// Client calls as the holder of these credentials.
type Client struct {
	Endpoint    string
	Region      string
	Credentials aws.Credentials
	http        http.Client
}

// New is a client of the endpoint that the environment or EndpointFile names.
func New(region string, credentials aws.Credentials) (*Client, error) {
	endpoint := os.Getenv(endpointName)
	if endpoint == "" {
		text, err := os.ReadFile(EndpointFile)
		if err != nil {
			return nil, fmt.Errorf("where the API is: %s is not set, and %w", endpointName, err)
		}
		endpoint = strings.TrimSpace(string(text))
	}
	return &Client{
		Endpoint:    strings.TrimSuffix(endpoint, "/"),
		Region:      region,
		Credentials: credentials,
		// The endpoint is in the VPC: no proxy is between.
		http: http.Client{Timeout: callTimeout, Transport: &http.Transport{}},
	}, nil
}

// AssignAddresses gives an interface this many more secondary addresses, and returns them.
func (client *Client) AssignAddresses(ctx context.Context, interfaceID string, count int) ([]string, error) {
	var answer struct {
		Assigned []string `xml:"assignedPrivateIpAddressesSet>item>privateIpAddress"`
	}
	err := client.ec2(ctx, "AssignPrivateIpAddresses", url.Values{
		"NetworkInterfaceId":             {interfaceID},
		"SecondaryPrivateIpAddressCount": {strconv.Itoa(count)},
	}, &answer)
	return answer.Assigned, err
}

// TypeLimits are the network interfaces of an instance type, and the addresses that each may have.
func (client *Client) TypeLimits(ctx context.Context, instanceType string) (interfaces, addresses int, err error) {
	var answer struct {
		Interfaces int `xml:"instanceTypeSet>item>networkInfo>maximumNetworkInterfaces"`
		Addresses  int `xml:"instanceTypeSet>item>networkInfo>ipv4AddressesPerInterface"`
	}
	err = client.ec2(ctx, "DescribeInstanceTypes", url.Values{"InstanceType.1": {instanceType}}, &answer)
	if err == nil && (answer.Interfaces == 0 || answer.Addresses == 0) {
		err = fmt.Errorf("instance type %s has no limits of addresses", instanceType)
	}
	return answer.Interfaces, answer.Addresses, err
}

// Login is what a registry takes, and the registry's address.
type Login struct {
	User, Password, Endpoint string
	Expires                  time.Time
}

// RegistryLogin asks for a login at the private registry of an account; empty for one's own.
func (client *Client) RegistryLogin(ctx context.Context, account string) (Login, error) {
	const operation = "GetAuthorizationToken"
	var answer struct {
		AuthorizationData []struct {
			AuthorizationToken []byte
			ExpiresAt          float64
			ProxyEndpoint      string
		}
	}
	body := []byte("{}")
	if account != "" {
		body, _ = json.Marshal(map[string][]string{"registryIds": {account}})
	}
	headers := http.Header{
		"Content-Type": {"application/x-amz-json-1.1"},
		"X-Amz-Target": {"AmazonEC2ContainerRegistry_V20150921." + operation},
	}
	status, text, err := client.call(ctx, "ecr", headers, body)
	if err != nil {
		return Login{}, fmt.Errorf("%s: %w", operation, err)
	}
	if status != http.StatusOK {
		return Login{}, jsonError(operation, status, text)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return Login{}, fmt.Errorf("%s: %w", operation, err)
	}
	if len(answer.AuthorizationData) == 0 {
		return Login{}, fmt.Errorf("%s: no authorization data", operation)
	}
	data := answer.AuthorizationData[0]
	user, password, found := strings.Cut(string(data.AuthorizationToken), ":")
	if !found {
		return Login{}, fmt.Errorf("%s: the token has no password", operation)
	}
	return Login{user, password, data.ProxyEndpoint, time.UnixMilli(int64(data.ExpiresAt * 1000))}, nil
}

func (client *Client) ec2(ctx context.Context, operation string, parameters url.Values, answer any) error {
	parameters.Set("Action", operation)
	parameters.Set("Version", ec2Version)
	headers := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	status, text, err := client.call(ctx, "ec2", headers, []byte(parameters.Encode()))
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if status != http.StatusOK {
		return xmlError(operation, status, text)
	}
	if err := xml.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

func (client *Client) call(ctx context.Context, service string, headers http.Header, body []byte) (int, []byte, error) {
	response, text, err := client.post(ctx, service, "/", headers, body)
	if err != nil {
		return 0, nil, err
	}
	return response.StatusCode, text, nil
}

// post is a signed call; the body of the response is read and closed.
func (client *Client) post(ctx context.Context, service, path string, headers http.Header, body []byte) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, client.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header = headers
	digest := sha256.Sum256(body)
	err = signer.NewSigner().SignHTTP(
		ctx, client.Credentials, request, hex.EncodeToString(digest[:]), service, client.Region, time.Now())
	if err != nil {
		return nil, nil, err
	}
	response, err := client.http.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, largest))
	return response, text, err
}

func xmlError(operation string, status int, text []byte) error {
	var answer struct {
		Code    string `xml:"Errors>Error>Code"`
		Message string `xml:"Errors>Error>Message"`
	}
	if xml.Unmarshal(text, &answer) != nil || answer.Code == "" {
		answer.Code, answer.Message = strconv.Itoa(status), http.StatusText(status)
	}
	return &Error{operation, answer.Code, answer.Message}
}

func jsonError(operation string, status int, text []byte) error {
	var answer struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &answer) != nil || answer.Type == "" {
		answer.Type, answer.Message = strconv.Itoa(status), http.StatusText(status)
	}
	_, code, found := strings.Cut(answer.Type, "#")
	if !found {
		code = answer.Type
	}
	return &Error{operation, code, answer.Message}
}

// HasCode says whether err is the API's own error with one of these codes.
func HasCode(err error, codes ...string) bool {
	var failure *Error
	if !errors.As(err, &failure) {
		return false
	}
	for _, code := range codes {
		if failure.Code == code {
			return true
		}
	}
	return false
}
