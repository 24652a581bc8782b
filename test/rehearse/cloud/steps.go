package cloud

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/test/kubeapply"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud/schedule"
)

// Parallel is how many resources the engine works on at a time. Those of a cloud wait, and need no processors here.
const Parallel = 32

// stack drives one of the two stacks. The simulated cloud serves both; what is Kubernetes goes where it is redirected,
// and nowhere until it is.
func (x *run) stack(name string, log io.Writer) rehearse.Options {
	set := map[string]string{}
	if name == x.Environment {
		set = x.Set
	}
	options := rehearse.Options{
		Environment: name, Repository: x.Repository, ConfigFile: x.adapted(name), StateDirectory: x.state(), BinDirectory: x.BinDirectory,
		Program: x.Program, Set: set, Output: log, StandIns: true, Simulated: true, Parallel: Parallel,
		Providers: []rehearse.Provider{{Name: kubeapply.Package, Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) {
			return kubeapply.New(kubeapply.Options{Redirect: x.redirect}), nil
		}}},
	}
	options.Providers = append(options.Providers, x.Beside...)
	if x.cloud != nil {
		options.Providers = append(options.Providers, rehearse.Provider{Name: x.cloud.Package, Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) {
			return x.cloud.Serve(), nil
		}})
	}
	return options
}

// rehearse does everything up to the point where all of it is up.
func (x *run) rehearse(ctx context.Context) {
	result, ok := x.life(ctx, x.Environment, "on the simulated "+x.Cloud)
	x.environmentUp = ok
	if !ok {
		return
	}
	defer x.evidence(ctx)
	if x.Machines != nil {
		x.step(ctx, "what machines get", func(io.Writer) (string, error) {
			machines, findings := x.Machines(x.cloud)
			x.report.Machines = machines
			x.find("what machines get", findings...)
			return plural(len(machines), "document") + " judged", nil
		})
	}
	for _, check := range x.Checks {
		x.step(ctx, check.Name, func(io.Writer) (string, error) {
			findings := check.Run(x.cloud)
			x.find(check.Name, findings...)
			return plural(len(findings), "finding"), nil
		})
	}
	x.estimate(ctx)
	if x.Baseline != "" && x.Cluster != nil && !x.WithoutKubernetes {
		x.inCluster(ctx, result)
	}
}

// life brings a stack up, as planned, and again, without a change.
func (x *run) life(ctx context.Context, name, where string) (made rehearse.Result, ok bool) {
	var planned rehearse.Result
	ok = x.step(ctx, name+": preview", func(log io.Writer) (outcome string, err error) {
		planned, err = rehearse.New(x.stack(name, log)).Preview(ctx)
		return fmt.Sprintf("%d to create", planned.Creates()), err
	}) && x.step(ctx, name+": up "+where, func(log io.Writer) (outcome string, err error) {
		made, err = rehearse.New(x.stack(name, log)).Up(ctx)
		if name == x.Environment {
			x.environmentUp = true
		} else {
			x.baselineUp = true
		}
		x.report.Resources = append(x.report.Resources, tree(made))
		return fmt.Sprintf("%d created", made.Creates()), err
	})
	if !ok {
		return made, false
	}
	for _, warning := range made.Warnings {
		x.find(name+": up", Finding{Level: Warning, Problem: warning})
	}
	if planned.Creates() != made.Creates() || made.Changed() != made.Creates() {
		x.find(name+": up", Finding{Level: Error, Problem: fmt.Sprintf("the preview promised %v, and up did %v", planned.Changes, made.Changes),
			Remedy: "register the same resources whether outputs are known or not"})
	}
	x.step(ctx, name+": up again", func(log io.Writer) (string, error) {
		again, err := rehearse.New(x.stack(name, log)).Up(ctx)
		findings := unexpected(again)
		x.find(name+": up again", findings...)
		if err == nil && len(findings) == 0 {
			return fmt.Sprintf("%d unchanged", again.Same()), nil
		}
		return plural(len(findings), "change"), err
	})
	return made, true
}

// unexpected are the changes of an up that follows one with the same settings.
func unexpected(again rehearse.Result) []Finding {
	var out []Finding
	for _, event := range again.Events {
		if event.ResourcePreEvent == nil {
			continue
		}
		m := event.ResourcePreEvent.Metadata
		if slices.Contains([]apitype.OpType{apitype.OpSame, apitype.OpRead, apitype.OpReadDiscard}, m.Op) {
			continue
		}
		what := string(m.Op)
		if len(m.Diffs) > 0 {
			what += " because of " + strings.Join(m.Diffs, ", ")
		}
		out = append(out, Finding{Level: Error, Subject: subject(m.URN), Problem: "a second up, with the same settings, does: " + what,
			Remedy: "give the resource the same inputs at each run, or ignore changes of what the cloud itself sets"})
	}
	if len(out) == 0 && again.Changed() > 0 {
		out = append(out, Finding{Level: Error, Problem: fmt.Sprintf("a second up, with the same settings, does: %v", again.Changes)})
	}
	return out
}

// estimate adds what follows from what is up: how long it took, of the operations from one on, and what it costs.
func (x *run) estimate(ctx context.Context) {
	x.step(ctx, "time in the cloud", func(log io.Writer) (string, error) {
		deployment, err := rehearse.New(x.stack(x.Environment, log)).Export(ctx)
		if err != nil {
			return "", err
		}
		graph, err := schedule.Read(deployment)
		if err != nil {
			return "", err
		}
		measured, err := graph.Measure(schedule.Operations(x.cloud.Timeline()))
		if err != nil {
			return "", err
		}
		s := &Schedule{Total: measured.Makespan, Bound: measured.Bound, Work: measured.Work, Parallel: Parallel, Slots: measured.Slots}
		for _, step := range measured.Path {
			if step.Takes() > 0 {
				s.Path = append(s.Path, Segment{Resource: subject(step.URN), Start: step.Start, Takes: step.Takes(), Late: step.Late()})
			}
		}
		x.report.Schedule = s
		return "about " + s.Total.Round(time.Second).String(), nil
	})
	if x.Costs != nil {
		x.step(ctx, "what it costs", func(io.Writer) (string, error) {
			x.report.Costs = x.Costs(x.cloud)
			return fmt.Sprintf("about %.0f USD a month, and by volume", x.report.Costs.Monthly), nil
		})
	}
}

// inCluster brings up a real cluster and the baseline in it, and attacks it.
func (x *run) inCluster(ctx context.Context, environment rehearse.Result) {
	endpoint := environment.Output(x.Endpoint)
	if endpoint == "" {
		x.find(x.Environment+": up", Finding{Level: Error, Problem: "the output " + x.Endpoint + " is missing: nothing tells where the API server is",
			Remedy: "export it"})
		return
	}
	name := "a real cluster on this machine"
	booted, on := x.Cluster.(Booted)
	if on {
		booted.From(x.cloud, environment)
		name = "the machines boot"
	}
	var kubeconfig string
	if !x.step(ctx, name, func(log io.Writer) (string, error) {
		x.clusterUp = true // or half of it
		path, facts, err := x.Cluster.Up(ctx, log)
		kubeconfig = path
		return strings.Join(facts, ", "), err
	}) {
		return
	}
	x.redirect[endpoint] = kubeconfig
	baseline, ok := x.life(ctx, x.Baseline, "in the real cluster")
	if !ok {
		return
	}
	x.probe(ctx, kubeconfig, baseline)
	x.compareVersions(ctx, kubeconfig, environment.Output("kubernetesVersion"))
	x.report.Kept = append(x.report.Kept, "export KUBECONFIG="+kubeconfig)
	if on {
		booted.Tenants(tenantsOf(baseline))
		x.prove(ctx, booted)
	}
}
