// Command ebs-csi is the CSI driver of EBS volumes, with Kubernetes' own controllers of such volumes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"

	"longshore/components/ebs-csi/ebs-csi/driver"
	"longshore/components/ebs-csi/ebs-csi/sidecars"
	"longshore/components/node/longshore-node/imds"
)

const usage = `usage: ebs-csi COMMAND [FLAG...]
  controller           make volumes, and have them at the nodes of their pods
  node                 mount the volumes of this node's pods
  snapshot-controller  join VolumeSnapshots to their contents
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1], os.Args[2:]); err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "ebs-csi %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command string, arguments []string) error {
	switch command {
	case "controller":
		return controller(ctx, arguments)
	case "node":
		return node(ctx, arguments)
	case "snapshot-controller":
		return snapshotController(ctx, arguments)
	default:
		return errors.New("there is no such command")
	}
}

func controller(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("controller", flag.ContinueOnError)
	endpoint := flags.String("endpoint", "unix:///csi/csi.sock", "the driver's socket")
	health := flags.String("health", ":9808", "where the kubelet asks whether the controller is well")
	tags := flags.String("extra-tags", "{}", "tags of all volumes and snapshots, as an object of JSON")
	metadata := flags.Bool("extra-create-metadata", true, "tag volumes with the names of their claims")
	fileSystem := flags.String("default-fstype", "ext4", "the file system where a class names none")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	given := map[string]string{}
	if err := json.Unmarshal([]byte(*tags), &given); err != nil {
		return fmt.Errorf("--extra-tags: %w", err)
	}
	socket, err := driver.Listen(*endpoint)
	if err != nil {
		return err
	}
	service := driver.NewController(given)
	ends := make(chan error, 3)
	go func() {
		ends <- driver.Serve(socket, func(server *grpc.Server) { csi.RegisterControllerServer(server, service) })
	}()
	go func() { ends <- driver.ServeHealth(*health) }()
	go func() {
		all, err := sidecars.Connect(ctx, *endpoint)
		if err == nil {
			all.ExtraMetadata, all.DefaultFS = *metadata, *fileSystem
			err = all.Run(ctx)
		}
		ends <- err
	}()
	return <-ends
}

func node(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	endpoint := flags.String("endpoint", "unix:///csi/csi.sock", "the driver's socket")
	health := flags.String("health", ":9808", "where the kubelet asks whether the driver is well")
	registry := flags.String("registration", "/registration", "the kubelet's directory of plug-ins")
	seen := flags.String("kubelet-endpoint", "", "the driver's socket, as the kubelet has it")
	most := flags.Int64("volume-attach-limit", 0, "how many volumes the node may have; 0 asks nothing")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	metadata := imds.New()
	if _, err := metadata.Wait(ctx, "meta-data/instance-id"); err != nil {
		return err
	}
	identity, err := metadata.Identity(ctx)
	if err != nil {
		return err
	}
	socket, err := driver.Listen(*endpoint)
	if err != nil {
		return err
	}
	service := driver.NewNode(identity, *most)
	ends := make(chan error, 3)
	go func() {
		ends <- driver.Serve(socket, func(server *grpc.Server) { csi.RegisterNodeServer(server, service) })
	}()
	go func() { ends <- driver.ServeHealth(*health) }()
	go func() { ends <- driver.Register(*registry, strings.TrimPrefix(*seen, "unix://")) }()
	select {
	case err := <-ends:
		return err
	case <-ctx.Done():
		return nil
	}
}

func snapshotController(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("snapshot-controller", flag.ContinueOnError)
	health := flags.String("health", ":9808", "where the kubelet asks whether the controller is well")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	ends := make(chan error, 2)
	go func() { ends <- driver.ServeHealth(*health) }()
	go func() { ends <- sidecars.RunSnapshotController(ctx) }()
	return <-ends
}
