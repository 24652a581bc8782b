package provider

import (
	"context"
	"errors"

	"github.com/pulumi/pulumi-go-provider/infer"

	"github.com/redoubt-dev/redoubt/components/local/machine"
	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// Network is the private network of one environment: a network namespace for
// every machine, a bridge for the nodes, a bridge for operators, one veth from
// the host, and no route out (M47).
type Network struct{}

// NetworkMember is one machine's place in the network.
type NetworkMember struct {
	Machine         string  `pulumi:"machine"`
	NodeAddress     string  `pulumi:"nodeAddress"`
	OperatorAddress *string `pulumi:"operatorAddress,optional"`
	PodCIDR         *string `pulumi:"podCIDR,optional"`
}

// NetworkInputs are the inputs of a Network.
type NetworkInputs struct {
	Environment string `pulumi:"environment"`
	// StateDirectory owns the network: see netns.Topology.Owner.
	StateDirectory string `pulumi:"stateDirectory,optional"`
	// ProgramsDirectory is what the machines will run from.
	ProgramsDirectory string          `pulumi:"programsDirectory,optional"`
	NodeCIDR          string          `pulumi:"nodeCIDR"`
	OperatorCIDR      string          `pulumi:"operatorCIDR"`
	Members           []NetworkMember `pulumi:"members"`
}

// NetworkState is the recorded state of a Network.
type NetworkState struct {
	NetworkInputs
	Drift []string `pulumi:"drift,optional"`
}

// Annotate sets the type token.
func (*Network) Annotate(a infer.Annotator) { a.SetToken(Module, "Network") }

func (n NetworkInputs) topology() netns.Topology {
	topology := netns.Topology{Environment: n.Environment, Owner: n.StateDirectory, NodeCIDR: n.NodeCIDR, OperatorCIDR: n.OperatorCIDR}
	for _, m := range n.Members {
		topology.Members = append(topology.Members, netns.Member{
			Machine: m.Machine, NodeAddress: m.NodeAddress,
			OperatorAddress: deref(m.OperatorAddress), PodCIDR: deref(m.PodCIDR),
		})
	}
	return topology
}

// Create makes the network, or completes one that an interrupted run began.
func (*Network) Create(ctx context.Context, req infer.CreateRequest[NetworkInputs]) (infer.CreateResponse[NetworkState], error) {
	out := infer.CreateResponse[NetworkState]{ID: req.Inputs.Environment, Output: NetworkState{NetworkInputs: req.Inputs}}
	if req.DryRun {
		return out, nil
	}
	if err := req.Inputs.preflight(); err != nil {
		return out, err
	}
	return out, netns.Ensure(ctx, req.Inputs.topology())
}

// preflight says what the host lacks for the machines of this network, before
// anything of it exists.
func (n NetworkInputs) preflight() error {
	if len(n.Members) == 0 {
		return errors.New("members: a network needs at least one machine")
	}
	return machine.Preflight(machine.Spec{
		Environment: n.Environment, Name: n.Members[0].Machine, Isolated: true, Dir: n.StateDirectory,
		Binds: []machine.Bind{{Source: n.ProgramsDirectory, Target: "/opt", ReadOnly: true}},
	})
}

// Diff compares the declaration with the record and with the host.
func (*Network) Diff(ctx context.Context, req infer.DiffRequest[NetworkInputs, NetworkState]) (infer.DiffResponse, error) {
	drift, err := netns.Check(ctx, req.State.topology())
	if err != nil {
		return infer.DiffResponse{}, err
	}
	return diff(req.State.NetworkInputs, req.Inputs, append(drift, req.State.Drift...), "environment"), nil
}

// Update makes the network as declared and removes members that are gone.
func (*Network) Update(ctx context.Context, req infer.UpdateRequest[NetworkInputs, NetworkState]) (infer.UpdateResponse[NetworkState], error) {
	out := infer.UpdateResponse[NetworkState]{Output: NetworkState{NetworkInputs: req.Inputs}}
	if req.DryRun {
		return out, nil
	}
	return out, netns.Ensure(ctx, req.Inputs.topology())
}

// Read records how the host differs from the declaration.
func (*Network) Read(ctx context.Context, req infer.ReadRequest[NetworkInputs, NetworkState]) (infer.ReadResponse[NetworkInputs, NetworkState], error) {
	drift, err := netns.Check(ctx, req.State.topology())
	req.State.Drift = drift
	return infer.ReadResponse[NetworkInputs, NetworkState]{ID: req.ID, Inputs: req.Inputs, State: req.State}, err
}

// Delete removes every namespace and interface of the environment.
func (*Network) Delete(ctx context.Context, req infer.DeleteRequest[NetworkState]) (infer.DeleteResponse, error) {
	return infer.DeleteResponse{}, netns.Remove(ctx, req.State.topology())
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
