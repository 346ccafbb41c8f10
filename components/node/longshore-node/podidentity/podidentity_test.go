package podidentity

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"longshore/components/node/longshore-node/api"
)

type played map[string]error

func (tokens played) Credentials(_ context.Context, token string) (api.PodCredentials, error) {
	err, known := tokens[token]
	if !known {
		err = context.DeadlineExceeded
	}
	expires := time.Unix(1_700_000_000, 0).UTC()
	return api.PodCredentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t", AccountID: "1", Expires: expires}, err
}

func asked(method, path, token string) *httptest.ResponseRecorder {
	source := played{"pod": nil, "stranger": &api.Refusal{Status: 404, Code: "ResourceNotFoundException", Message: "none"}}
	request := httptest.NewRequest(method, path, nil)
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	answer := httptest.NewRecorder()
	Handler(source).ServeHTTP(answer, request)
	return answer
}

func TestAPodsTokenBringsItsCredentials(t *testing.T) {
	answer := asked(http.MethodGet, path, "pod\n")
	var found map[string]string
	if err := json.Unmarshal(answer.Body.Bytes(), &found); err != nil || answer.Code != http.StatusOK {
		t.Fatal(answer.Code, answer.Body, err)
	}
	if found["AccessKeyId"] != "ASIA" || found["Token"] != "t" || found["Expiration"] != "2023-11-14T22:13:20Z" {
		t.Error(found)
	}
}

func TestRefusalsKeepTheStatusAndTheWordsOfTheAPI(t *testing.T) {
	answer := asked(http.MethodGet, path, "stranger")
	if answer.Code != http.StatusNotFound || !strings.Contains(answer.Body.String(), "ResourceNotFoundException: none") {
		t.Error(answer.Code, answer.Body)
	}
	for token, want := range map[string]int{"": http.StatusBadRequest, "other": http.StatusInternalServerError} {
		if found := asked(http.MethodGet, path, token); found.Code != want {
			t.Error(token, found.Code)
		}
	}
}

func TestNothingElseIsAnswered(t *testing.T) {
	if found := asked(http.MethodPost, path, "pod"); found.Code != http.StatusMethodNotAllowed {
		t.Error(found.Code)
	}
	if found := asked(http.MethodGet, "/", "pod"); found.Code != http.StatusNotFound {
		t.Error(found.Code)
	}
}
