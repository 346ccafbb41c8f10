// Package bootstrap makes an instance a node: once at each boot, before the kubelet starts.
package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"longshore/components/node/longshore-node/api"
	"longshore/components/node/longshore-node/cni"
	"longshore/components/node/longshore-node/imds"
)

const (
	// registryFile has what follows the region in the names of ECR's registries: domain and port.
	registryFile = "/etc/longshore/registry"
	runFolder    = "/run/longshore"
	patience     = 5 * time.Minute
	again        = 2 * time.Second
	callWait     = 20 * time.Second
)

// Run configures the instance as its user data says; without a NodeConfig in it, nothing happens.
func Run(arguments []string) error {
	flags := flag.NewFlagSet("bootstrap", flag.ContinueOnError)
	root := flags.String("root", "/", "the folder that files are written below")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	// One of an earlier boot is no word to the kubelet.
	if err := os.Remove(filepath.Join(*root, argumentsFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := imds.New()
	data, err := client.Wait(ctx, "user-data")
	if errors.Is(err, imds.ErrAbsent) {
		data, err = "", nil
	}
	if err != nil {
		return err
	}
	configs, err := nodeConfigs([]byte(data))
	if err != nil {
		return err
	}
	if len(configs) == 0 {
		fmt.Println("user data has no NodeConfig: this instance is no node")
		return nil
	}
	config := merged(configs)
	if err := config.Spec.Cluster.check(); err != nil {
		return err
	}
	for _, name := range config.Spec.ignored() {
		fmt.Printf("spec.%s of the NodeConfig is not heeded here\n", name)
	}
	for {
		err := configure(ctx, client, config, *root)
		if err == nil || errors.As(err, new(badConfig)) {
			return err
		}
		fmt.Fprintf(os.Stderr, "tried again: %v\n", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(again):
		}
	}
}

// badConfig is an error that another try does not mend.
type badConfig struct{ error }

func configure(ctx context.Context, client *imds.Client, config NodeConfig, root string) error {
	node, err := describe(ctx, client, config, root)
	if err != nil {
		return err
	}
	files, err := node.files()
	if err != nil {
		return err
	}
	card, err := client.Primary(ctx)
	if err != nil {
		return err
	}
	if err := setUpInstance(ctx, client, card); err != nil {
		return err
	}
	for _, file := range files {
		if err := write(filepath.Join(root, file.path), file.text); err != nil {
			return err
		}
	}
	if err := cni.Warm(ctx, client, filepath.Join(root, cni.Folder), node.maxPods); err != nil {
		// The plugin asks again, and says so where it is needed.
		fmt.Fprintf(os.Stderr, "no addresses for pods yet: %v\n", err)
	}
	fmt.Printf("%s is to be a node of %s\n", node.name(), config.Spec.Cluster.Name)
	return nil
}

func describe(ctx context.Context, client *imds.Client, config NodeConfig, root string) (node, error) {
	found := node{config: config, resources: readResources("/")}
	var err error
	if found.identity, err = client.Identity(ctx); err != nil {
		return found, err
	}
	zone, err := client.Get(ctx, "meta-data/placement/availability-zone-id")
	if err != nil && !errors.Is(err, imds.ErrAbsent) {
		return found, err
	}
	found.zoneID = strings.TrimSpace(zone)
	if found.program, err = os.Executable(); err != nil {
		return found, err
	}
	caller := caller(ctx, client, found.identity.Region)
	if found.maxPods, err = maxPods(ctx, caller, found.identity, config); err != nil {
		return found, err
	}
	found.registries = registries(ctx, caller, root)
	return found, nil
}

// caller gives a client of the API, made when it is first needed.
func caller(ctx context.Context, client *imds.Client, region string) func() (*api.Client, error) {
	return func() (*api.Client, error) {
		role, err := client.Credentials(ctx)
		if err != nil {
			return nil, err
		}
		return api.New(region, role)
	}
}

// maxPods is what user data says, or what the instance type allows.
func maxPods(ctx context.Context, caller func() (*api.Client, error), identity imds.Identity, config NodeConfig) (int, error) {
	if given := config.Spec.Kubelet.maxPods(); given > 0 {
		return given, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	client, err := caller()
	if err != nil {
		return 0, fmt.Errorf("how many pods fit: %w", err)
	}
	interfaces, addresses, err := client.TypeLimits(ctx, identity.InstanceType)
	if err != nil {
		return 0, fmt.Errorf("how many pods fit: %w", err)
	}
	return podsOf(interfaces, addresses), nil
}

// registries are the names of ECR's registries as the kubelet matches them: with their port, each
// label of its own. The image says what follows the region, or the API does.
func registries(ctx context.Context, caller func() (*api.Client, error), root string) []string {
	const account = "*.dkr.ecr.*."
	names := []string{account + "amazonaws.com"}
	text, err := os.ReadFile(filepath.Join(root, registryFile))
	if domain := strings.TrimSpace(string(text)); err == nil && domain != "" {
		return append(names, account+domain)
	}
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	client, err := caller()
	if err == nil {
		var login api.Login
		if login, err = client.RegistryLogin(ctx, ""); err == nil {
			host := login.Endpoint[strings.LastIndex(login.Endpoint, "/")+1:]
			if parts := strings.SplitN(host, ".", 5); len(parts) == 5 {
				return append(names, account+parts[4])
			}
			err = fmt.Errorf("%s is no registry of ECR", login.Endpoint)
		}
	}
	fmt.Fprintf(os.Stderr, "private registries are without a login: %v\n", err)
	return names
}

type file struct {
	path string
	text []byte
}

// files are all that is written; the kubelet waits for the last.
func (node node) files() ([]file, error) {
	authority, err := node.config.Spec.Cluster.authority()
	if err != nil {
		return nil, badConfig{err}
	}
	dns, err := node.config.Spec.Cluster.dns()
	if err != nil {
		return nil, badConfig{err}
	}
	files := []file{{authorityFile, authority}}
	for _, each := range []struct {
		path  string
		value object
	}{
		{configFile, node.kubeletConfiguration(dns)},
		{kubeconfigFile, node.kubeconfig()},
		{providersFile, node.imageProviders(filepath.Base(node.program))},
		{cni.ConfigurationFile, cni.Configuration(node.maxPods)},
	} {
		text, err := json.MarshalIndent(each.value, "", "  ")
		if err != nil {
			return nil, err
		}
		files = append(files, file{each.path, append(text, '\n')})
	}
	arguments := strings.Join(node.arguments(filepath.Dir(node.program)), "\n") + "\n"
	return append(files, file{argumentsFile, []byte(arguments)}), nil
}

// setUpInstance does what is the kernel's: pods' traffic, and what the kubelet sees of the machine.
func setUpInstance(ctx context.Context, client *imds.Client, card imds.Interface) error {
	device, err := deviceOf(card.MAC)
	if err != nil {
		return err
	}
	ranges, err := client.Of(ctx, card.MAC, "vpc-ipv4-cidr-blocks")
	if err != nil {
		return err
	}
	if err := setUpForwarding(device.Name); err != nil {
		return err
	}
	if err := setUpTranslation(device.Name, card.Primary, strings.Fields(ranges)); err != nil {
		return err
	}
	if err := keepKernelSettings(runFolder); err != nil {
		// A node all the same, whose kubelet changes the machine's settings.
		fmt.Fprintln(os.Stderr, err)
	}
	return nil
}

// write puts a file in its place whole; it is root's alone.
func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	draft := path + ".new"
	if err := os.WriteFile(draft, text, 0o600); err != nil {
		return err
	}
	return os.Rename(draft, path)
}
