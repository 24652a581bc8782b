package provider

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-go-provider/infer"

	"github.com/redoubt-dev/redoubt/components/local/machine"
	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// Worker is a machine that runs the kubelet and containerd, and the node that
// it registers.
type Worker struct{}

// WorkerInputs are the inputs of a Worker.
type WorkerInputs struct {
	Machine Machine `pulumi:"machine"`
	Join    Join    `pulumi:"join"`
}

// WorkerState is the recorded state of a Worker.
type WorkerState struct {
	WorkerInputs
	Drift []string `pulumi:"drift,optional"`
}

// Annotate sets the type token.
func (*Worker) Annotate(a infer.Annotator) { a.SetToken(Module, "Worker") }

// Create starts the machine, joins the node and returns when it is Ready.
func (*Worker) Create(ctx context.Context, req infer.CreateRequest[WorkerInputs]) (infer.CreateResponse[WorkerState], error) {
	in := req.Inputs
	out := infer.CreateResponse[WorkerState]{ID: in.Machine.Environment + "/" + in.Machine.Name, Output: WorkerState{WorkerInputs: in}}
	if req.DryRun {
		return out, nil
	}
	_, statErr := os.Stat(in.Machine.Directory)
	err := in.converge(ctx, nil)
	if err != nil && os.IsNotExist(statErr) {
		err = errors.Join(err, discard(ctx, in.Machine))
	}
	return out, err
}

// Diff compares the declaration with the record and with the host.
func (*Worker) Diff(_ context.Context, req infer.DiffRequest[WorkerInputs, WorkerState]) (infer.DiffResponse, error) {
	drift := append(req.State.drift(), req.State.Drift...)
	return diff(req.State.WorkerInputs, req.Inputs, drift), nil
}

// Update converges the machine and joins the node again if its credentials
// have expired.
func (*Worker) Update(ctx context.Context, req infer.UpdateRequest[WorkerInputs, WorkerState]) (infer.UpdateResponse[WorkerState], error) {
	out := infer.UpdateResponse[WorkerState]{Output: WorkerState{WorkerInputs: req.Inputs}}
	if req.DryRun {
		return out, nil
	}
	return out, req.Inputs.converge(ctx, req.State.Machine.Files)
}

// Read records how the host differs from the declaration.
func (*Worker) Read(_ context.Context, req infer.ReadRequest[WorkerInputs, WorkerState]) (infer.ReadResponse[WorkerInputs, WorkerState], error) {
	req.State.Drift = req.State.drift()
	return infer.ReadResponse[WorkerInputs, WorkerState]{ID: req.ID, Inputs: req.Inputs, State: req.State}, nil
}

// Delete removes the node from the cluster, where that still answers, and then
// the machine.
func (*Worker) Delete(ctx context.Context, req infer.DeleteRequest[WorkerState]) (infer.DeleteResponse, error) {
	if err := req.State.Join.leave(ctx, req.State.Machine.Name); err != nil {
		return infer.DeleteResponse{}, err
	}
	if err := req.State.Machine.remove(ctx); err != nil {
		return infer.DeleteResponse{}, err
	}
	return infer.DeleteResponse{}, netns.RemoveMachine(ctx, req.State.Machine.Environment, req.State.Machine.Name)
}

func (in WorkerInputs) drift() []string {
	drift := in.Machine.drift(in.Machine.Files)
	if reason := in.Join.needed(in.Machine); reason != "" {
		drift = append(drift, fmt.Sprintf("%s: %s", in.Machine.Name, reason))
	}
	return drift
}

// converge brings the worker to its declaration; it can be repeated.
func (in WorkerInputs) converge(ctx context.Context, previous []File) error {
	if err := in.Machine.writeFiles(previous); err != nil {
		return err
	}
	if in.Join.needed(in.Machine) != "" {
		// A kubelet that runs keeps what it has in memory, and would not join.
		if err := machine.Stop(ctx, in.Machine.Directory); err != nil {
			return err
		}
		if err := in.Join.prepare(ctx, in.Machine); err != nil {
			return err
		}
	}
	if err := in.Machine.converge(ctx); err != nil {
		return err
	}
	if err := machine.Wait(ctx, in.Machine.Directory); err != nil {
		return err
	}
	return in.Join.complete(ctx, in.Machine)
}
