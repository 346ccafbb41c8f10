package main

import (
	"context"
	"errors"
	"syscall"

	sandboxapi "github.com/containerd/containerd/api/runtime/sandbox/v1"
	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/containerd/v2/core/events"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/shutdown"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/log"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/emptypb"
	runsc "gvisor.dev/gvisor/pkg/shim/v1"
)

// service is gVisor's task service, with an answer to Shutdown that ttrpc can send: gVisor gives
// none while other containers of the sandbox are there, which newer versions of ttrpc refuse.
type service struct {
	task.TaskService
	sandboxapi.TTRPCSandboxService
	outputs   *outputs
	unstarted *unstarted
}

// Shutdown ends the shim unless it still has containers; either way the request was served.
func (s service) Shutdown(ctx context.Context, r *task.ShutdownRequest) (*emptypb.Empty, error) {
	answer, err := s.TaskService.Shutdown(ctx, r)
	if answer == nil && err == nil {
		answer = &emptypb.Empty{}
	}
	return answer, err
}

// What containerd asked for is done to its end, also when containerd dies meanwhile: a command of
// runsc that is cut off in the middle leaves a sandbox which the shim takes for another than it is.

// Create makes a container.
func (s service) Create(ctx context.Context, r *task.CreateTaskRequest) (*task.CreateTaskResponse, error) {
	out, err := newOutput(&r.Stdout, &r.Stderr)
	if err != nil {
		return nil, err
	}
	defer out.opened()
	return s.unstarted.make(r, func() (*task.CreateTaskResponse, error) {
		answer, err := s.TaskService.Create(context.WithoutCancel(ctx), r)
		if err == nil {
			s.outputs.Store(r.ID, out)
		}
		return answer, err
	})
}

// Start starts a process that was made.
func (s service) Start(ctx context.Context, r *task.StartRequest) (*task.StartResponse, error) {
	if r.ExecID == "" {
		s.unstarted.remove(r.ID)
	}
	return s.TaskService.Start(context.WithoutCancel(ctx), r)
}

// State tells of a process.
func (s service) State(ctx context.Context, r *task.StateRequest) (*task.StateResponse, error) {
	if found := s.unstarted.state(r.ID); found != nil && r.ExecID == "" {
		return found, nil
	}
	return s.TaskService.State(ctx, r)
}

// Delete takes away a process that has ended.
func (s service) Delete(ctx context.Context, r *task.DeleteRequest) (*task.DeleteResponse, error) {
	if r.ExecID != "" {
		return s.TaskService.Delete(context.WithoutCancel(ctx), r)
	}
	s.giveUp(ctx, r.ID)
	var answer *task.DeleteResponse
	err := s.outputs.end(r.ID, func() (err error) {
		answer, err = s.TaskService.Delete(context.WithoutCancel(ctx), r)
		return err
	})
	return answer, err
}

// Kill signals a process; SIGKILL ends one, too, that was not started.
func (s service) Kill(ctx context.Context, r *task.KillRequest) (*emptypb.Empty, error) {
	if r.ExecID == "" && r.Signal == uint32(syscall.SIGKILL) {
		s.giveUp(ctx, r.ID)
	}
	return s.TaskService.Kill(context.WithoutCancel(ctx), r)
}

// RegisterTTRPC offers the service to containerd.
func (s service) RegisterTTRPC(server *ttrpc.Server) error {
	task.RegisterTaskService(server, s)
	sandboxapi.RegisterTTRPCSandboxService(server, s)
	return nil
}

// publisher tells containerd of events, as far as it is there to hear them: gVisor's shim ends itself,
// and its sandbox with it, where one cannot be delivered. Who waits for a task asks for its state.
type publisher struct {
	shim.Publisher
}

// Publish gives the event to containerd; where that fails it is lost.
func (p publisher) Publish(ctx context.Context, topic string, event events.Event) error {
	if err := p.Publisher.Publish(ctx, topic, event); err != nil {
		log.G(ctx).WithError(err).WithField("topic", topic).Warn("an event was not delivered")
	}
	return nil
}

func init() {
	registry.Register(&plugin.Registration{
		Type:     plugins.TTRPCPlugin,
		ID:       "task",
		Requires: []plugin.Type{plugins.EventPlugin, plugins.InternalPlugin},
		InitFn:   newService,
	})
}

func newService(ic *plugin.InitContext) (interface{}, error) {
	releaseLog()
	sink, err := ic.GetByID(plugins.EventPlugin, "publisher")
	if err != nil {
		return nil, err
	}
	end, err := ic.GetByID(plugins.InternalPlugin, "shutdown")
	if err != nil {
		return nil, err
	}
	inner, err := runsc.NewShimRedirector(ic.Context, publisher{sink.(shim.Publisher)}, end.(shutdown.Service))
	if err != nil {
		return nil, err
	}
	sandboxes, ok := inner.(sandboxapi.TTRPCSandboxService)
	if !ok {
		return nil, errors.New("gVisor's shim serves no sandboxes")
	}
	return service{inner, sandboxes, &outputs{}, &unstarted{states: map[string]*task.StateResponse{}}}, nil
}
