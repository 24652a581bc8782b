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
		proof("fourth", func(context.Context, io.Writer, cloud.Change) error { return errors.New("it does not hold") }),
		proof("fifth", func(context.Context, io.Writer, cloud.Change) error { return nil }),
	}
}

// M12, M43: machines that boot are prepared before the environment comes, and tried once the baseline is in them; what a
// proof changes, the environment's own up does. One that does not hold fails the rehearsal, and it says what was not tried.
func TestBooted(t *testing.T) {
	r, _ := toy(t, "[a]")
	c := &bootedCluster{cluster: cluster{kubeconfig: api{}.kubeconfig(t)}}
	r.Cluster, r.WithoutKubernetes = c, false
	report := run(t, r)
	if c.prepared != 1 || c.given != endpoint || c.tenants != 1 || strings.Join(c.tried, " ") != "first second third fourth" || c.gone != 1 {
		t.Errorf("%+v", c)
	}
	var wrong []string
	for _, f := range report.Findings {
		if strings.HasPrefix(f.Step, "proof: ") {
			wrong = append(wrong, f.Step+": "+f.Problem)
		}
	}
	if report.Passed || strings.Join(wrong, "; ") != "proof: fourth: it does not hold; proof: fourth: 1 proof after it did not run" {
		t.Errorf("passed %v: %q", report.Passed, wrong)
	}
	clean(t, r)
}

// Nothing is prepared where Kubernetes is left out.
func TestNothingBootsWithoutKubernetes(t *testing.T) {
	r, _ := toy(t, "[refused]")
	c := &bootedCluster{}
	r.Cluster, r.LeftOut = c, "no machine boots here"
	if report := run(t, r); c.prepared != 0 || c.ups != 0 || said(report, cloud.Warning, "no machine boots here") {
		t.Errorf("prepared %d, up %d, %+v", c.prepared, c.ups, report.Findings)
	}
}
