package cloud_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// bootedCluster is one that stands on the toy cloud's machines.
type bootedCluster struct {
	cluster
	prepared, tenants int
	in                *simcloud.Cloud
	given             string
	tried             []string
	fails             string // the proof that does not hold
}

func (c *bootedCluster) Prepare(context.Context, io.Writer) (map[string]string, error) {
	c.prepared++
	return map[string]string{"redoubt:documents": "[prepared]"}, nil
}

func (c *bootedCluster) From(in *simcloud.Cloud, environment rehearse.Result) {
	c.in, c.given = in, environment.Output("apiEndpoint")
}

func (c *bootedCluster) Tenants(namespaces []string) { c.tenants += len(namespaces) }

// documents are those that the machines in the cloud have.
func (c *bootedCluster) documents() []string {
	var out []string
	for _, o := range c.in.Objects(machineToken) {
		out = append(out, o.State.String("document"))
	}
	slices.Sort(out)
	return out
}

func (c *bootedCluster) Proofs() []cloud.Proof {
	proof := func(name string, run func(ctx context.Context, log io.Writer, change cloud.Change) error) cloud.Proof {
		return cloud.Proof{Name: "proof: " + name, Run: func(ctx context.Context, log io.Writer, change cloud.Change) (string, error) {
			c.tried = append(c.tried, name)
			if c.fails == name {
				return "", errors.New("it does not hold")
			}
			return "holds", run(ctx, log, change)
		}}
	}
	return []cloud.Proof{
		proof("first", func(context.Context, io.Writer, cloud.Change) error { return nil }),
		proof("second", func(ctx context.Context, log io.Writer, change cloud.Change) error {
			// A machine that the cloud has lost comes back, with what the change says.
			for _, o := range c.in.Objects(machineToken) {
				if o.State.String("document") == "prepared" {
					if err := c.in.Remove(o); err != nil {
						return err
					}
				}
			}
			return change(ctx, log, map[string]string{"redoubt:documents": "[prepared, added]"})
		}),
		proof("third", func(context.Context, io.Writer, cloud.Change) error {
			if got := c.documents(); !slices.Contains(got, "added") || !slices.Contains(got, "prepared") {
				return errors.New("the cloud has " + strings.Join(got, ", "))
			}
			return nil
		}),
	}
}

// M12, M43: machines that boot are prepared before the environment comes, and tried once the baseline is in them; what a
// proof changes, the environment's own up does.
func TestBooted(t *testing.T) {
	kubeconfig := api{}.kubeconfig(t)
	r, _ := toy(t, "[a]")
	c := &bootedCluster{cluster: cluster{kubeconfig: kubeconfig}}
	r.Cluster, r.WithoutKubernetes = c, false
	report := run(t, r)
	if c.prepared != 1 || c.given != endpoint || c.tenants != 1 || strings.Join(c.tried, " ") != "first second third" || c.gone != 1 {
		t.Errorf("%+v", c)
	}
	for _, f := range report.Findings {
		if strings.HasPrefix(f.Step, "proof: ") {
			t.Errorf("%+v", f)
		}
	}
	clean(t, r)
}

// A proof that does not hold fails the rehearsal, and says what was not tried.
func TestAProofThatDoesNotHold(t *testing.T) {
	kubeconfig := api{}.kubeconfig(t)
	r, _ := toy(t, "[a]")
	c := &bootedCluster{cluster: cluster{kubeconfig: kubeconfig}, fails: "second"}
	r.Cluster, r.WithoutKubernetes = c, false
	report := run(t, r)
	var said []string
	for _, f := range report.Findings {
		if f.Level == cloud.Error && f.Step == "proof: second" {
			said = append(said, f.Problem)
		}
	}
	if report.Passed || strings.Join(said, "; ") != "it does not hold; 1 proof after it did not run" || strings.Join(c.tried, " ") != "first second" || c.gone != 1 {
		t.Errorf("%q, tried %q, gone %d", said, c.tried, c.gone)
	}
	clean(t, r)
}

// What this machine cannot do is said, and nothing is prepared where Kubernetes is left out.
func TestWhatIsLeftOut(t *testing.T) {
	r, _ := toy(t, "[a]")
	c := &bootedCluster{}
	r.Cluster, r.LeftOut = c, "no machine boots here"
	if report := run(t, r); !report.Passed || len(report.Findings) != 0 || c.prepared != 0 {
		t.Errorf("without Kubernetes: %+v, prepared %d", report.Findings, c.prepared)
	}
	kubeconfig := api{}.kubeconfig(t)
	r, plain := toy(t, "[a]")
	plain.kubeconfig = kubeconfig
	r.WithoutKubernetes, r.LeftOut = false, "no machine boots here"
	said := false
	for _, f := range run(t, r).Findings {
		said = said || f.Level == cloud.Warning && strings.Contains(f.Problem, "no machine boots here")
	}
	if !said {
		t.Error("nothing says what is left out")
	}
}
