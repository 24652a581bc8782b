package cloud

import (
	"context"
	"fmt"
	"io"
	"maps"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// prepare makes what machines run, where they boot here, and says what is left out where they do not.
func (x *run) prepare(ctx context.Context) error {
	if x.LeftOut != "" && !x.WithoutKubernetes {
		x.find("the machines boot", Finding{Level: Warning, Problem: "left out: " + x.LeftOut})
	}
	booted, on := x.Cluster.(Booted)
	if !on || x.WithoutKubernetes {
		return nil
	}
	return x.announced("what machines run", func() (string, error) {
		log, done := x.log("what machines run")
		defer done()
		settings, err := booted.Prepare(ctx, log)
		set := maps.Clone(x.Set)
		if set == nil {
			set = map[string]string{}
		}
		maps.Copy(set, settings)
		x.Set = set
		return "made, and named by hash in the settings", err
	})
}

// prove tries what must hold of the machines. After one that does not hold, the cluster is not whole: the rest is left out.
func (x *run) prove(ctx context.Context, booted Booted) {
	proofs := booted.Proofs()
	for i, proof := range proofs {
		if x.step(ctx, proof.Name, func(log io.Writer) (string, error) { return proof.Run(ctx, log, x.change) }) {
			continue
		}
		x.baselineUp = false // it may not be asked any more, and goes with the cluster
		if left := len(proofs) - i - 1; left > 0 && ctx.Err() == nil {
			x.find(proof.Name, Finding{Level: Error, Problem: fmt.Sprintf("%s after it did not run", plural(left, "proof"))})
		}
		return
	}
}

// change brings the environment up, as people do, with further settings, which it keeps.
func (x *run) change(ctx context.Context, log io.Writer, settings map[string]string) error {
	set := maps.Clone(x.Set)
	maps.Copy(set, settings)
	x.Set = set
	options := x.stack(x.Environment, log)
	options.Refresh = true // a machine may be gone
	_, err := rehearse.New(options).Up(ctx)
	return err
}

// hold waits for an interrupt where machines are kept that would end with this process.
func (x *run) hold(ctx context.Context) {
	if _, on := x.Cluster.(Booted); !on || !x.clusterUp {
		return
	}
	fmt.Fprintln(x.Output, "  the machines are up for as long as this command runs; interrupt it to take everything down")
	for _, line := range x.report.Kept {
		fmt.Fprintln(x.Output, "    "+line)
	}
	<-ctx.Done()
}
