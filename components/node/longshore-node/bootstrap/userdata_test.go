package bootstrap

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"reflect"
	"testing"
)

const config = `{"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": {"cluster": {"name": %q}}}`

func names(t *testing.T, data string) []string {
	t.Helper()
	configs, err := nodeConfigs([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, each := range configs {
		found = append(found, each.Spec.Cluster.Name)
	}
	return found
}

func part(headers, text string) string { return "--//\n" + headers + "\n\n" + text + "\n" }

func multi(parts ...string) string {
	all := "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"//\"\n\n"
	for _, each := range parts {
		all += each
	}
	return all + "--//--\n"
}

func TestNodeConfigsAreFoundWhereverUserDataHasThem(t *testing.T) {
	one, other := fmt.Sprintf(config, "one"), fmt.Sprintf(config, "other")
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	_, _ = writer.Write([]byte(one))
	_ = writer.Close()
	encoded := base64.StdEncoding.EncodeToString([]byte(one))
	inner := "Content-Type: multipart/mixed; boundary=in\n\n--in\nContent-Type: application/node.eks.aws\n\n" + other + "\n--in--"
	for name, each := range map[string]struct {
		data string
		want []string
	}{
		"alone":           {one, []string{"one"}},
		"YAML":            {"---\nkind: NodeConfig\napiVersion: node.eks.aws/v1alpha1\nspec: {cluster: {name: one}}\n", []string{"one"}},
		"zipped":          {zipped.String(), []string{"one"}},
		"script":          {"#!/bin/sh\ncat <<E\napiVersion: node.eks.aws/v1alpha1\nE\n", []string{}},
		"nothing":         {"", []string{}},
		"other document":  {"apiVersion: v1\nkind: Pod\n", []string{}},
		"parts":           {multi(part("Content-Type: text/x-shellscript", "echo"), part("Content-Type: application/node.eks.aws", one), part("Content-Type: application/node.eks.aws; charset=\"us-ascii\"", other)), []string{"one", "other"}},
		"part in base64":  {multi(part("Content-Type: application/node.eks.aws\nContent-Transfer-Encoding: base64", encoded)), []string{"one"}},
		"part in a part":  {multi(part(inner[:bytes.IndexByte([]byte(inner), '\n')], inner[bytes.IndexByte([]byte(inner), '\n')+2:])), []string{"other"}},
		"part of no kind": {multi(part("X-Other: 1", one)), []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if found := names(t, each.data); !reflect.DeepEqual(found, each.want) {
				t.Errorf("found %v, not %v", found, each.want)
			}
		})
	}
}

func TestBrokenNodeConfigIsAnErrorAndNotNone(t *testing.T) {
	for name, data := range map[string]string{
		"syntax":       "apiVersion: node.eks.aws/v1alpha1\nkind: [\n",
		"other kind":   "apiVersion: node.eks.aws/v1alpha1\nkind: Other\n",
		"newer":        "apiVersion: node.eks.aws/v9\nkind: NodeConfig\n",
		"part":         multi(part("Content-Type: application/node.eks.aws", "kind: [")),
		"half a part":  "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"//\"\n\n--//\nContent-Type: application/node.eks.aws\n\n" + fmt.Sprintf(config, "one"),
		"not a base64": multi(part("Content-Type: application/node.eks.aws\nContent-Transfer-Encoding: base64", "!")),
	} {
		t.Run(name, func(t *testing.T) {
			if configs, err := nodeConfigs([]byte(data)); err == nil {
				t.Errorf("no error, but %v", configs)
			}
		})
	}
}

func FuzzAnyUserDataIsReadOrRefused(f *testing.F) {
	f.Add([]byte(multi(part("Content-Type: application/node.eks.aws", fmt.Sprintf(config, "one")))))
	f.Add([]byte{0x1f, 0x8b, 0})
	f.Add([]byte("Content-Type: multipart/mixed; boundary=\n\n----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		configs, err := nodeConfigs(data)
		if err == nil && len(configs) > 0 {
			_ = merged(configs).Spec.Cluster.check()
		}
	})
}
