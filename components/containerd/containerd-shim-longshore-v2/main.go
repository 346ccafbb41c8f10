// Command containerd-shim-longshore-v2 is containerd's own shim for runc, with one difference: what
// containerd asked for is done to its end, also when containerd dies meanwhile. Cut off in the
// middle, runc leaves a container whose process runs while the shim takes it for one not yet started.
package main

import (
	"context"

	task "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	runc "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/shutdown"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

func main() {
	holdLog()
	shim.RunShim(context.Background(), manager.NewShimManager("io.containerd.longshore.v2"))
}

// service is containerd's, whose calls nobody breaks off.
type service struct {
	task.TTRPCTaskService
	outputs *outputs
}

// Create makes a container.
func (s service) Create(ctx context.Context, r *task.CreateTaskRequest) (*task.CreateTaskResponse, error) {
	out, err := newOutput(&r.Stdout, &r.Stderr)
	if err != nil {
		return nil, err
	}
	defer out.opened()
	answer, err := s.TTRPCTaskService.Create(context.WithoutCancel(ctx), r)
	if err == nil {
		s.outputs.Store(r.ID, out)
	}
	return answer, err
}

// Start starts a process that was made.
func (s service) Start(ctx context.Context, r *task.StartRequest) (*task.StartResponse, error) {
	return s.TTRPCTaskService.Start(context.WithoutCancel(ctx), r)
}

// Delete takes away a process that has ended.
func (s service) Delete(ctx context.Context, r *task.DeleteRequest) (*task.DeleteResponse, error) {
	if r.ExecID != "" {
		return s.TTRPCTaskService.Delete(context.WithoutCancel(ctx), r)
	}
	var answer *task.DeleteResponse
	err := s.outputs.end(r.ID, func() (err error) {
		answer, err = s.TTRPCTaskService.Delete(context.WithoutCancel(ctx), r)
		return err
	})
	return answer, err
}

// Kill signals a process.
func (s service) Kill(ctx context.Context, r *task.KillRequest) (*emptypb.Empty, error) {
	return s.TTRPCTaskService.Kill(context.WithoutCancel(ctx), r)
}

// RegisterTTRPC offers the service to containerd.
func (s service) RegisterTTRPC(server *ttrpc.Server) error {
	task.RegisterTTRPCTaskService(server, s)
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

func newService(ic *plugin.InitContext) (any, error) {
	releaseLog()
	publisher, err := ic.GetByID(plugins.EventPlugin, "publisher")
	if err != nil {
		return nil, err
	}
	end, err := ic.GetByID(plugins.InternalPlugin, "shutdown")
	if err != nil {
		return nil, err
	}
	inner, err := runc.NewTaskService(ic.Context, publisher.(shim.Publisher), end.(shutdown.Service))
	return service{inner, &outputs{}}, err
}
