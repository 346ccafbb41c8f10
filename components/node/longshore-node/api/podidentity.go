package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// PodCredentials are those of the role of a pod's service account.
type PodCredentials struct {
	AccessKeyID, SecretAccessKey, SessionToken, AccountID string
	Expires                                               time.Time
}

// Refusal is an error of AssumeRoleForPodIdentity with the status of HTTP that it came with.
type Refusal struct {
	Status        int
	Code, Message string
}

func (refusal *Refusal) Error() string {
	return fmt.Sprintf("%s: %s", refusal.Code, refusal.Message)
}

// AssumeRoleForPodIdentity asks for credentials for the pod whose token this is. A *Refusal where the
// API has an answer, but none.
func (client *Client) AssumeRoleForPodIdentity(ctx context.Context, cluster, token string) (PodCredentials, error) {
	var answer struct {
		AssumedRoleUser struct{ Arn string }
		Credentials     struct {
			AccessKeyID, SecretAccessKey, SessionToken string
			Expiration                                 float64
		}
		Message string
	}
	path := "/clusters/" + url.PathEscape(cluster) + "/assume-role-for-pod-identity"
	body, _ := json.Marshal(map[string]string{"token": token})
	headers := http.Header{"Content-Type": {"application/json"}}
	response, text, err := client.post(ctx, "eks-auth", path, headers, body)
	if err != nil {
		return PodCredentials{}, err
	}
	err = json.Unmarshal(text, &answer)
	if response.StatusCode != http.StatusOK {
		code, _, _ := strings.Cut(response.Header.Get("X-Amzn-Errortype"), ":")
		return PodCredentials{}, &Refusal{response.StatusCode, code, answer.Message}
	}
	if err != nil {
		return PodCredentials{}, fmt.Errorf("the answer is no JSON: %w", err)
	}
	found := PodCredentials{
		AccessKeyID:     answer.Credentials.AccessKeyID,
		SecretAccessKey: answer.Credentials.SecretAccessKey,
		SessionToken:    answer.Credentials.SessionToken,
		Expires:         time.UnixMilli(int64(answer.Credentials.Expiration * 1000)).UTC(),
	}
	if parts := strings.Split(answer.AssumedRoleUser.Arn, ":"); len(parts) > 4 {
		found.AccountID = parts[4]
	}
	return found, nil
}
