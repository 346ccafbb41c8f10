package main

import (
	"context"
	"path/filepath"
	"sync"

	task "github.com/containerd/containerd/api/runtime/task/v2"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/log"
	"gvisor.dev/gvisor/pkg/shim/v1/proc"
	"gvisor.dev/gvisor/pkg/shim/v1/runsccmd"
)

// unstarted are the containers that were made and not started, each with its state. gVisor's shim keeps
// the ends that they will write to until it starts them, and a deletion waits until these are closed: for
// ever, and with it whoever asks for the state.
type unstarted struct {
	making sync.Mutex
	states map[string]*task.StateResponse
}

// make counts in a container that is made. Who asks for it meanwhile waits: containerd deletes at once
// what it was told to make no more, made or not.
func (u *unstarted) make(r *task.CreateTaskRequest, create func() (*task.CreateTaskResponse, error)) (*task.CreateTaskResponse, error) {
	u.making.Lock()
	defer u.making.Unlock()
	answer, err := create()
	// One without output is a sandbox's own, whose deletion waits for nothing.
	if err == nil && (r.Stdout != "" || r.Stderr != "" || r.Terminal) {
		u.states[r.ID] = &task.StateResponse{
			ID:       r.ID,
			Bundle:   r.Bundle,
			Pid:      answer.Pid,
			Status:   tasktypes.Status_CREATED,
			Stdin:    r.Stdin,
			Stdout:   r.Stdout,
			Stderr:   r.Stderr,
			Terminal: r.Terminal,
		}
	}
	return answer, err
}

// state is nil for a container that is not one of these. gVisor must not be asked for theirs: where the
// sandbox's kernel is gone it takes them for stopped, and never closes the ends.
func (u *unstarted) state(id string) *task.StateResponse {
	u.making.Lock()
	defer u.making.Unlock()
	return u.states[id]
}

// remove says whether the container was one of these, which it is no more.
func (u *unstarted) remove(id string) bool {
	u.making.Lock()
	defer u.making.Unlock()
	_, found := u.states[id]
	delete(u.states, id)
	return found
}

// giveUp ends a container that was not started and is to be killed or deleted. It becomes one whose start
// failed: gVisor closes the ends then. In a context that is over no command is run. runsc deletes it before
// gVisor's shim has it killed, which would leave runsc without a container to delete, and its cgroups behind.
func (s service) giveUp(ctx context.Context, id string) {
	if !s.unstarted.remove(id) {
		return
	}
	over, end := context.WithCancel(ctx)
	end()
	_, _ = s.TaskService.Start(over, &task.StartRequest{ID: id})
	namespace, err := namespaces.NamespaceRequired(ctx)
	if err == nil {
		runsc := runsccmd.Runsc{Root: filepath.Join(proc.RunscRoot, namespace)}
		err = runsc.Delete(context.WithoutCancel(ctx), id, nil)
	}
	if err != nil {
		log.G(ctx).WithError(err).WithField("container", id).Warn("it was not started, and stays")
	}
}
