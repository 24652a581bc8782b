package provider

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi-go-provider/infer"

	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// Firewall is the host firewall of one machine: an nftables ruleset in the
// machine's network namespace (M04).
type Firewall struct{}

// FirewallInputs are the inputs of a Firewall.
type FirewallInputs struct {
	NetworkNamespace string `pulumi:"networkNamespace"`
	Ruleset          string `pulumi:"ruleset"`
}

// FirewallState is the recorded state of a Firewall.
type FirewallState struct {
	FirewallInputs
	// Fingerprint identifies the live rules right after they were applied.
	Fingerprint string   `pulumi:"fingerprint"`
	Drift       []string `pulumi:"drift,optional"`
}

// Annotate sets the type token.
func (*Firewall) Annotate(a infer.Annotator) { a.SetToken(Module, "Firewall") }

func (f FirewallInputs) apply(ctx context.Context) (FirewallState, error) {
	state := FirewallState{FirewallInputs: f}
	if err := netns.ApplyFirewall(ctx, f.NetworkNamespace, f.Ruleset); err != nil {
		return state, err
	}
	fingerprint, err := netns.FirewallFingerprint(ctx, f.NetworkNamespace)
	state.Fingerprint = fingerprint
	return state, err
}

func (s FirewallState) drift(ctx context.Context) []string {
	live, err := netns.FirewallFingerprint(ctx, s.NetworkNamespace)
	switch {
	case err != nil || live == "":
		return []string{fmt.Sprintf("no firewall in network namespace %s", s.NetworkNamespace)}
	case live != s.Fingerprint:
		return []string{fmt.Sprintf("the rules in network namespace %s were changed", s.NetworkNamespace)}
	}
	return nil
}

// Create applies the ruleset.
func (*Firewall) Create(ctx context.Context, req infer.CreateRequest[FirewallInputs]) (infer.CreateResponse[FirewallState], error) {
	out := infer.CreateResponse[FirewallState]{ID: req.Inputs.NetworkNamespace, Output: FirewallState{FirewallInputs: req.Inputs}}
	if req.DryRun {
		return out, nil
	}
	state, err := req.Inputs.apply(ctx)
	out.Output = state
	return out, err
}

// Diff compares the declaration with the record and with the live rules.
func (*Firewall) Diff(ctx context.Context, req infer.DiffRequest[FirewallInputs, FirewallState]) (infer.DiffResponse, error) {
	drift := append(req.State.drift(ctx), req.State.Drift...)
	return diff(req.State.FirewallInputs, req.Inputs, drift, "networkNamespace"), nil
}

// Update replaces the ruleset in one transaction; there is no moment without rules.
func (*Firewall) Update(ctx context.Context, req infer.UpdateRequest[FirewallInputs, FirewallState]) (infer.UpdateResponse[FirewallState], error) {
	if req.DryRun {
		req.State.FirewallInputs = req.Inputs
		return infer.UpdateResponse[FirewallState]{Output: req.State}, nil
	}
	state, err := req.Inputs.apply(ctx)
	return infer.UpdateResponse[FirewallState]{Output: state}, err
}

// Read records whether the live rules are the declared ones.
func (*Firewall) Read(ctx context.Context, req infer.ReadRequest[FirewallInputs, FirewallState]) (infer.ReadResponse[FirewallInputs, FirewallState], error) {
	req.State.Drift = req.State.drift(ctx)
	return infer.ReadResponse[FirewallInputs, FirewallState]{ID: req.ID, Inputs: req.Inputs, State: req.State}, nil
}

// Delete keeps the rules: they go with the namespace, and a machine that still
// runs must not lose its firewall first.
func (*Firewall) Delete(context.Context, infer.DeleteRequest[FirewallState]) (infer.DeleteResponse, error) {
	return infer.DeleteResponse{}, nil
}
