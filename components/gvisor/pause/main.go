// Command pause holds a sandbox open: it waits to be told to end, and takes in orphans. With
// arguments (`-- PROGRAM ARGUMENT…`) it is a container's init: it runs the program, passes signals on
// to it, takes in orphans, and ends as the program ends.
package main

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

const (
	notExecutable = 126
	notFound      = 127
	killedBy      = 128
)

func main() {
	child := 0
	signals := make(chan os.Signal, 64)
	if len(os.Args) > 2 {
		signal.Notify(signals)
		child = start(os.Args[2:])
	} else {
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	}
	for received := range signals {
		switch {
		case received == syscall.SIGCHLD:
			reap(child)
		case child == 0:
			os.Exit(0)
		case received != syscall.SIGURG:
			// Go's runtime sends SIGURG to itself.
			_ = syscall.Kill(child, received.(syscall.Signal))
		}
	}
}

// start runs the program in a process group of its own.
func start(arguments []string) int {
	path, err := exec.LookPath(arguments[0])
	if err != nil {
		fail(arguments[0], err, notFound)
	}
	pid, err := syscall.ForkExec(path, arguments, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		fail(path, err, notExecutable)
	}
	return pid
}

func fail(program string, err error, code int) {
	_, _ = os.Stderr.WriteString("exec " + program + ": " + err.Error() + "\n")
	os.Exit(code)
}

// reap takes in whoever has ended, and ends once the child has.
func reap(child int) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
		case pid <= 0 || err != nil:
			return
		case pid == child && status.Signaled():
			os.Exit(killedBy + int(status.Signal()))
		case pid == child:
			os.Exit(status.ExitStatus())
		}
	}
}
