package cloud

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const describedVolume = `<DescribeVolumesResponse><volumeSet><item><volumeId>vol-1</volumeId>
<size>3</size><status>in-use</status><attachmentSet><item><instanceId>i-1</instanceId>
<device>/dev/xvdaa</device><status>attached</status></item></attachmentSet></item></volumeSet>
</DescribeVolumesResponse>`

// played answers STS and EC2; it counts the roles that were asked for.
func played(t *testing.T, lasts time.Duration) (*Cloud, *atomic.Int32) {
	asked := &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if request.FormValue("Action") == "AssumeRoleWithWebIdentity" {
			if request.FormValue("WebIdentityToken") != "the token" || request.FormValue("RoleArn") != "the role" {
				answer.WriteHeader(http.StatusForbidden)
				return
			}
			asked.Add(1)
			fmt.Fprintf(answer, `<R><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>
<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></R>`, time.Now().Add(lasts).UTC().Format(time.RFC3339))
			return
		}
		signed := request.Header.Get("Authorization")
		if !strings.Contains(signed, "Credential=ASIA1/") || request.Header.Get("X-Amz-Security-Token") != "t" {
			answer.WriteHeader(http.StatusForbidden)
			return
		}
		if request.FormValue("VolumeId.1") == "vol-1" {
			fmt.Fprint(answer, describedVolume)
			return
		}
		answer.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(answer, `<R><Errors><Error><Code>InvalidVolume.NotFound</Code></Error></Errors></R>`)
	}))
	t.Cleanup(server.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("the token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ROLE_ARN", "the role")
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token)
	return &Cloud{}, asked
}

func TestTheRoleOfTheServiceAccountIsAskedForOnce(t *testing.T) {
	found, asked := played(t, time.Hour)
	for range 3 {
		volume, err := found.Volume(context.Background(), "vol-1")
		if err != nil || volume.Size != 3 || volume.At("i-1").Device != "/dev/xvdaa" || volume.At("i-2") != nil {
			t.Fatalf("%+v %v", volume, err)
		}
	}
	if asked.Load() != 1 {
		t.Fatalf("asked %d times", asked.Load())
	}
}

func TestARoleThatEndsSoonIsAskedForAgain(t *testing.T) {
	found, asked := played(t, time.Minute)
	for range 2 {
		if _, err := found.Volume(context.Background(), "vol-1"); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != 2 {
		t.Fatalf("asked %d times", asked.Load())
	}
}

func TestAVolumeThatIsNoMoreIsNoErrorAndIsWaitedForNoLonger(t *testing.T) {
	found, _ := played(t, time.Hour)
	volume, err := found.Await(context.Background(), "vol-2", func(*Volume) bool { return false })
	if volume != nil || err != nil {
		t.Fatalf("%+v %v", volume, err)
	}
	if err := found.DeleteVolume(context.Background(), "vol-2"); err != nil {
		t.Fatal(err)
	}
}
