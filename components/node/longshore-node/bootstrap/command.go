package bootstrap

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	lookEvery   = time.Second / 4
	runtimeWait = time.Minute
)

// Kubelet becomes the kubelet of `kube`, with the arguments that Run has left. It waits for them,
// for good where the instance is no node, and a while for the container runtime.
func Kubelet(arguments []string) error {
	flags := flag.NewFlagSet("kubelet", flag.ContinueOnError)
	program := flags.String("program", "/usr/bin/kube", "the program that has the kubelet")
	root := flags.String("root", "/", "the folder that files lie below")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	text := waitFor(filepath.Join(*root, argumentsFile))
	for ends := time.Now().Add(runtimeWait); time.Now().Before(ends) && !exists(filepath.Join(*root, runtimeSocket)); {
		time.Sleep(lookEvery)
	}
	given := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	command := append([]string{*program, "kubelet"}, given...)
	err := syscall.Exec(*program, command, os.Environ())
	return &os.PathError{Op: "exec", Path: *program, Err: err}
}

func waitFor(path string) []byte {
	for {
		text, err := os.ReadFile(path)
		if err == nil {
			return text
		}
		time.Sleep(lookEvery)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
