package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	roomPause = 100 * time.Millisecond
	// lastPatience is how long the output of a container that has ended may wait for room. runc's
	// service waits for its own copying twice as long.
	lastPatience = 5 * time.Second
)

// output is what a container prints on its way into plain files. The services of runc and gVisor end
// their copying at the first write that fails, and the container waits for ever: they are given pipes
// instead, which take no more than they hold while a file takes nothing.
type output struct {
	life    context.Context
	giveUp  context.CancelFunc
	copying sync.WaitGroup
	ends    []*os.File
}

// newOutput puts pipes in the place of the paths that name plain files.
func newOutput(paths ...*string) (*output, error) {
	o := &output{}
	o.life, o.giveUp = context.WithCancel(context.Background())
	for _, path := range paths {
		if status, err := os.Stat(*path); err != nil || !status.Mode().IsRegular() {
			continue
		}
		if err := o.pipe(path); err != nil {
			o.opened()
			return nil, err
		}
	}
	return o, nil
}

func (o *output) pipe(path *string) error {
	file, err := os.OpenFile(*path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	from, to, err := os.Pipe()
	if err != nil {
		_ = file.Close()
		return err
	}
	o.ends = append(o.ends, to)
	*path = fmt.Sprintf("/proc/self/fd/%d", to.Fd())
	o.copying.Add(1)
	go o.copy(file, from)
	return nil
}

// opened says that the service has the pipes open, or never will: they end when it closes them.
func (o *output) opened() {
	for _, end := range o.ends {
		_ = end.Close()
	}
}

func (o *output) copy(file, from *os.File) {
	defer o.copying.Done()
	defer file.Close()
	defer from.Close()
	buffer := make([]byte, 64*1024)
	for {
		size, err := from.Read(buffer)
		if err != nil {
			return
		}
		o.write(file, buffer[:size])
	}
}

// write tries until all is written, or given up: a file that was full may be so no longer.
func (o *output) write(file *os.File, rest []byte) {
	for {
		size, err := file.Write(rest)
		if err == nil {
			return
		}
		rest = rest[size:]
		select {
		case <-o.life.Done():
			return
		case <-time.After(roomPause):
		}
	}
}

// outputs are those of the containers that are there, by container.
type outputs struct{ sync.Map }

// end deletes a container, whose last output is in its files then, as far as they take it.
func (o *outputs) end(id string, remove func() error) error {
	found, ok := o.Load(id)
	if !ok {
		return remove()
	}
	last := found.(*output)
	timer := time.AfterFunc(lastPatience, last.giveUp)
	defer timer.Stop()
	if err := remove(); err != nil {
		return err
	}
	last.copying.Wait()
	o.Delete(id)
	return nil
}
