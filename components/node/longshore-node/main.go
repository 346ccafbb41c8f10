// Command longshore-node is what an instance has inside to be a node of an EKS cluster: it makes the
// kubelet's configuration of user data, gives the kubelet credentials, and gives pods addresses of
// the VPC. Called as longshore-cni, or with CNI_COMMAND set, it is the CNI plugin.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"longshore/components/node/longshore-node/bootstrap"
	"longshore/components/node/longshore-node/cni"
	"longshore/components/node/longshore-node/credentials"
	"longshore/components/node/longshore-node/podidentity"
)

const usage = `usage: longshore-node COMMAND
  bootstrap                             configure this instance as its user data's NodeConfig says
  kubelet                               become the kubelet, once bootstrap has configured it
  token --cluster NAME [--region NAME]  print an ExecCredential for the cluster
  image-credentials                     answer a kubelet's CredentialProviderRequest
  pod-identity-agent initialize|server  be the EKS Pod Identity Agent of this node
  more-addresses FOLDER N               have more addresses for pods, as the CNI plugin asks
  cni                                   give a pod an address (a CNI plugin)
`

func main() {
	command, arguments := "", []string(nil)
	if len(os.Args) > 1 {
		command, arguments = os.Args[1], os.Args[2:]
	}
	if filepath.Base(os.Args[0]) == cni.Name || os.Getenv("CNI_COMMAND") != "" {
		command = "cni"
	}
	if err := run(command, arguments); err != nil {
		fmt.Fprintf(os.Stderr, "longshore-node %s: %v\n", command, err)
		os.Exit(1)
	}
}

func run(command string, arguments []string) error {
	switch command {
	case "bootstrap":
		return bootstrap.Run(arguments)
	case "kubelet":
		return bootstrap.Kubelet(arguments)
	case "token":
		return credentials.Token(arguments, os.Stdout)
	case "image-credentials":
		return credentials.Images(os.Stdin, os.Stdout)
	case "pod-identity-agent":
		return podidentity.Run(arguments)
	case "more-addresses":
		if len(arguments) != 2 {
			return errors.New("which folder has the addresses' holders, and how many may they be?")
		}
		most, err := strconv.Atoi(arguments[1])
		if err != nil {
			return err
		}
		return cni.MoreAddresses(arguments[0], most)
	case "cni":
		cni.Main()
		return nil
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
		return nil
	}
}
