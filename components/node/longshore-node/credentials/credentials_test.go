package credentials

import (
	"testing"
	"time"
)

func TestRegistriesAreReadFromImages(t *testing.T) {
	for image, want := range map[string][3]string{
		"111122223333.dkr.ecr.us-east-1.amazonaws.com/a/b:1":       {"111122223333.dkr.ecr.us-east-1.amazonaws.com", "111122223333", "us-east-1"},
		"111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a":  {"111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "111122223333", "us-gov-west-1"},
		"111122223333.dkr.ecr.eu-west-1.lvh.test:4567/a@sha256:00": {"111122223333.dkr.ecr.eu-west-1.lvh.test:4567", "111122223333", "eu-west-1"},
	} {
		host, account, region, err := registryOf(image)
		if err != nil || [3]string{host, account, region} != want {
			t.Error(image, host, account, region, err)
		}
	}
	for _, image := range []string{
		"", "nginx", "public.ecr.aws/nginx/nginx", "1.dkr.ecr.eu-west-1.amazonaws.com/a",
		"evil.test/111122223333.dkr.ecr.eu-west-1.amazonaws.com/a", "x111122223333.dkr.ecr.eu-west-1.amazonaws.com/a",
	} {
		if host, _, _, err := registryOf(image); err == nil {
			t.Error(image, host)
		}
	}
}

func TestLoginsAreKeptForHalfOfTheirTime(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for left, want := range map[time.Duration]time.Duration{12 * time.Hour: 6 * time.Hour, time.Second: 0, -time.Hour: 0} {
		if found := cacheDuration(now.Add(left), now); found != want {
			t.Error(left, found)
		}
	}
}
