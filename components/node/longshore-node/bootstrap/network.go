package bootstrap

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

const snatChain = "LONGSHORE-SNAT"

// deviceOf is the network device with this MAC address.
func deviceOf(mac string) (net.Interface, error) {
	devices, err := net.Interfaces()
	if err != nil {
		return net.Interface{}, err
	}
	for _, device := range devices {
		if strings.EqualFold(device.HardwareAddr.String(), mac) {
			return device, nil
		}
	}
	return net.Interface{}, fmt.Errorf("no network device has the primary interface's MAC address %s", mac)
}

// setUpForwarding lets the instance be its pods' router.
func setUpForwarding(device string) error {
	for name, value := range map[string]string{
		"ip_forward": "1",
		// Replies to what a service led elsewhere may come in by another device than they would
		// go out by.
		"conf/" + device + "/rp_filter": "2",
	} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// setUpTranslation gives what pods send beyond the VPC the node's primary address, as the VPC CNI
// plugin does (AWS_VPC_K8S_CNI_EXTERNALSNAT=false): only that one may have a public one.
func setUpTranslation(device, primary string, ranges []string) error {
	if out, err := iptables("-N", snatChain); err != nil && !strings.Contains(out, "exists") {
		return fmt.Errorf("iptables: %w: %s", err, out)
	}
	rules := [][]string{{"-F", snatChain}}
	for _, each := range ranges {
		rules = append(rules, []string{"-A", snatChain, "-d", each, "-j", "RETURN"})
	}
	rules = append(rules, []string{"-A", snatChain, "-j", "SNAT", "--to-source", primary})
	jump := []string{"POSTROUTING", "-o", device, "-j", snatChain}
	if _, err := iptables(append([]string{"-C"}, jump...)...); err != nil {
		rules = append(rules, append([]string{"-A"}, jump...))
	}
	for _, rule := range rules {
		if out, err := iptables(rule...); err != nil {
			return fmt.Errorf("iptables %s: %w: %s", strings.Join(rule, " "), err, out)
		}
	}
	return nil
}

func iptables(arguments ...string) (string, error) {
	out, err := exec.Command("iptables", append([]string{"-w", "5", "-t", "nat"}, arguments...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
