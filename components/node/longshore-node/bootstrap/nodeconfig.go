package bootstrap

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	nodeConfigVersion = "node.eks.aws/v1alpha1"
	nodeConfigKind    = "NodeConfig"
)

// NodeConfig is the document of nodeadm that user data has (its API reference, v1alpha1).
type NodeConfig struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       Spec   `json:"spec"`
}

// Spec is what is taken of a NodeConfig; Ignored says what is not.
type Spec struct {
	Cluster      Cluster         `json:"cluster"`
	Kubelet      KubeletOptions  `json:"kubelet"`
	Containerd   json.RawMessage `json:"containerd,omitempty"`
	Instance     json.RawMessage `json:"instance,omitempty"`
	FeatureGates json.RawMessage `json:"featureGates,omitempty"`
}

// Cluster is where the node belongs. CertificateAuthority is PEM, in base64; CIDR its services'.
type Cluster struct {
	Name                 string `json:"name"`
	APIServerEndpoint    string `json:"apiServerEndpoint"`
	CertificateAuthority string `json:"certificateAuthority"`
	CIDR                 string `json:"cidr"`
}

// KubeletOptions are merged into what is configured without it: Config by its members, Flags at the end.
type KubeletOptions struct {
	Config map[string]any `json:"config"`
	Flags  []string       `json:"flags"`
}

func parseNodeConfig(text []byte) (NodeConfig, error) {
	var config NodeConfig
	if err := yaml.Unmarshal(text, &config); err != nil {
		return config, fmt.Errorf("user data has a NodeConfig that cannot be read: %w", err)
	}
	if config.APIVersion != nodeConfigVersion || config.Kind != nodeConfigKind {
		return config, fmt.Errorf("user data has a %s of %s; a %s of %s is known here",
			orNone(config.Kind), orNone(config.APIVersion), nodeConfigKind, nodeConfigVersion)
	}
	return config, nil
}

func orNone(name string) string {
	if name == "" {
		return "document without a kind or version"
	}
	return name
}

// merged is all of them as one: what comes later is said last, and flags add up.
func merged(configs []NodeConfig) NodeConfig {
	all := configs[0]
	for _, config := range configs[1:] {
		later, into := config.Spec.Cluster, &all.Spec.Cluster
		replace(&into.Name, later.Name)
		replace(&into.APIServerEndpoint, later.APIServerEndpoint)
		replace(&into.CertificateAuthority, later.CertificateAuthority)
		replace(&into.CIDR, later.CIDR)
		kubelet := &all.Spec.Kubelet
		kubelet.Config = mergeObjects(kubelet.Config, config.Spec.Kubelet.Config)
		kubelet.Flags = append(kubelet.Flags, config.Spec.Kubelet.Flags...)
	}
	return all
}

func replace(value *string, later string) {
	if later != "" {
		*value = later
	}
}

// mergeObjects is base with the members of over; objects in both are merged, all else replaced.
func mergeObjects(base, over map[string]any) map[string]any {
	all := make(map[string]any, len(base)+len(over))
	for name, value := range base {
		all[name] = value
	}
	for name, value := range over {
		before, wasObject := all[name].(map[string]any)
		object, isObject := value.(map[string]any)
		if wasObject && isObject {
			value = mergeObjects(before, object)
		}
		all[name] = value
	}
	return all
}

// maxPods is the number that is asked for, or 0 for none.
func (kubelet KubeletOptions) maxPods() int {
	found, _ := kubelet.Config["maxPods"].(float64)
	for _, flag := range kubelet.Flags {
		if value, ok := strings.CutPrefix(strings.TrimLeft(flag, "-"), "max-pods="); ok {
			found, _ = strconv.ParseFloat(value, 64)
		}
	}
	return int(found)
}

// check says what is missing, in nodeadm's words.
func (cluster Cluster) check() error {
	switch {
	case cluster.Name == "":
		return errors.New("Name is missing in cluster configuration")
	case cluster.APIServerEndpoint == "":
		return errors.New("Apiserver endpoint is missing in cluster configuration")
	case cluster.CertificateAuthority == "":
		return errors.New("Certificate authority is missing in cluster configuration")
	case cluster.CIDR == "":
		return errors.New("CIDR is missing in cluster configuration")
	}
	return nil
}

func (cluster Cluster) authority() ([]byte, error) {
	text, err := base64.StdEncoding.DecodeString(cluster.CertificateAuthority)
	if err != nil {
		return nil, fmt.Errorf("the certificate authority is no base64: %w", err)
	}
	if block, _ := pem.Decode(text); block == nil {
		return nil, errors.New("the certificate authority is no certificate in PEM")
	}
	return text, nil
}

// dns is the tenth address of the services' range, where EKS's kube-dns is.
func (cluster Cluster) dns() (string, error) {
	prefix, err := netip.ParsePrefix(cluster.CIDR)
	if err != nil {
		return "", fmt.Errorf("the cluster's CIDR: %w", err)
	}
	address := prefix.Masked().Addr()
	for range 10 {
		address = address.Next()
	}
	if !prefix.Contains(address) {
		return "", fmt.Errorf("the cluster's CIDR %s has no tenth address", cluster.CIDR)
	}
	return address.String(), nil
}

// ignored are the parts of the document that nothing is done with.
func (spec Spec) ignored() []string {
	var names []string
	for name, value := range map[string]json.RawMessage{
		"containerd": spec.Containerd, "instance": spec.Instance, "featureGates": spec.FeatureGates,
	} {
		if len(value) > 0 && string(value) != "null" && string(value) != "{}" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
