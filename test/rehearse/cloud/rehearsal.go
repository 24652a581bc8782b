package cloud

import (
	"context"
	"io"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Rehearsal is one environment and how to rehearse it. Environment, Repository, Platform, Program and Open are required.
type Rehearsal struct {
	// Environment is the stack's name.
	Environment string
	// Repository is the directory of Pulumi.yaml.
	Repository string
	// BinDirectory holds the programs: $REDOUBT_BIN_DIR or else <Repository>/bin when empty.
	BinDirectory string
	// Platform is what the settings say of the cloud, such as "aws"; Cloud is its name for people.
	Platform, Cloud string
	// Program is the Pulumi program of the environment and of its baseline.
	Program pulumi.RunFunc
	// ConfigFile holds the settings of the environment; stacks/Pulumi.<environment>.yaml when empty.
	ConfigFile string
	// Set overrides settings of the environment.
	Set map[string]string
	// Replace gives, of the environment's settings, the texts for which the simulated cloud has others, such as its own
	// account's number. They are replaced in the settings of both stacks; the files stay as they are.
	Replace func(settings []byte) map[string]string

	// Lift are the settings of the environment that lift its protection.
	Lift map[string]string
	// StrictAgent says that the network agent lets no pod reach anything before a policy does: those of kube-system need
	// policies too.
	StrictAgent bool

	// Open makes the simulated cloud.
	Open func(simcloud.Options) (*simcloud.Cloud, error)
	// Beside are providers of what no cloud makes, such as keys: the same ones for every run of the rehearsal.
	Beside []rehearse.Provider
	// Given makes what the settings name and the account has before the environment comes, and names it.
	Given func(c *simcloud.Cloud, settings string) ([]string, error)
	// Baseline is the environment of what is in the cluster; "" when there is none.
	Baseline string
	// Endpoint is the output of the environment that holds its API server's address.
	Endpoint string
	// Cluster stands where the managed cluster would.
	Cluster Cluster

	// LeftOut says what this machine cannot rehearse of the environment, and why; "" where it can do all of it.
	LeftOut string

	// Machines tells what the machines of the cloud get when they boot, and what is wrong with it.
	Machines func(*simcloud.Cloud) ([]Machine, []Finding)
	// Checks judge what the cloud holds once the environment is up.
	Checks []Check
	// Demands are the controls that evidence is collected for; nil collects none.
	Demands *Demands
	// Costs tells what the environment costs, as far as what exists tells.
	Costs func(*simcloud.Cloud) *Costs
	// Keeps tells why the cloud itself keeps an object after everything is destroyed, "" when it does not.
	Keeps func(*simcloud.Cloud, simcloud.Object) string

	// WithoutKubernetes leaves out the cluster and the baseline.
	WithoutKubernetes bool
	// Keep leaves everything up.
	Keep bool
	// Output takes a line for each step.
	Output io.Writer
}

// Cluster is a real cluster of this machine.
type Cluster interface {
	// Up brings it up and gives the file of its kubeconfig and what holds of it. The engine's words go to the log.
	Up(ctx context.Context, log io.Writer) (kubeconfig string, facts []string, err error)
	// Destroy removes it, as far as it is there.
	Destroy(ctx context.Context, log io.Writer) error
}

// Booted is a cluster that stands on machines which boot from what the cloud was given, and not beside it. They are
// processes of the rehearsal, and end with it.
type Booted interface {
	Cluster
	// Prepare makes what machines run, before the environment comes, and gives the settings that name it.
	Prepare(ctx context.Context, log io.Writer) (settings map[string]string, err error)
	// From says in which cloud the machines are, and what the environment gave out, before Up.
	From(in *simcloud.Cloud, environment rehearse.Result)
	// Tenants says which namespaces the baseline has made for tenants, before the proofs.
	Tenants(namespaces []string)
	// Proofs are what is tried once the baseline is in the cluster, in this order; each leaves a whole cluster.
	Proofs() []Proof
}

// Proof is one thing that must hold of a cluster.
type Proof struct {
	Name string
	// Run tries it, and gives what holds.
	Run func(ctx context.Context, log io.Writer, change Change) (string, error)
}

// Change brings the environment up again, with settings beside those that it has. What the cloud has then is what
// machines boot from.
type Change func(ctx context.Context, log io.Writer, settings map[string]string) error

// Machine is what the machines of one pool get when they boot.
type Machine struct {
	Pool string `json:"pool"`
	// Source names what carries the document, such as "launch template lt-1".
	Source string `json:"source"`
	// Bytes is the document's size as it is sent, of at most Limit; both are 0 where the cloud makes the document.
	Bytes int `json:"bytes"`
	Limit int `json:"limit"`
	// Settings are a few lines that tell most.
	Settings []string `json:"settings"`
}

// Check judges what a cloud holds.
type Check struct {
	Name string
	Run  func(*simcloud.Cloud) []Finding
}

// Schedule is how long a cloud takes to make an environment, and why. Its times are estimates: those of the simulation.
type Schedule struct {
	// Total is from the first operation to the last. No order and no number of operations at a time gets below Bound, and
	// one after another they would take Work.
	Total time.Duration `json:"total"`
	Bound time.Duration `json:"bound"`
	Work  time.Duration `json:"work"`
	// Parallel is how many operations the engine was let do at a time, Slots how many it did at most.
	Parallel int `json:"parallel"`
	Slots    int `json:"slots"`
	// Path is the longest chain, in order.
	Path []Segment `json:"path"`
}

// Segment is one operation on the longest chain.
type Segment struct {
	Resource string        `json:"resource"`
	Start    time.Duration `json:"start"`
	Takes    time.Duration `json:"takes"`
	// Late is how much later it started than what it depends on asks for.
	Late time.Duration `json:"late"`
}

// Costs are what an environment costs: an estimate for comparing environments, no bill.
type Costs struct {
	// Basis says of where and when the prices are, and what is not in them.
	Basis string     `json:"basis"`
	Lines []CostLine `json:"lines"`
	// Monthly is the sum of the lines that have a price, in USD; Whole tells whether all have one.
	Monthly float64 `json:"monthlyUSD"`
	Whole   bool    `json:"whole"`
	// Volumes is what is paid by what goes through it, which nothing here can tell.
	Volumes []string `json:"volumes"`
}

// CostLine is so many of a thing that is paid for as long as it exists.
type CostLine struct {
	Thing string `json:"thing"`
	Count int    `json:"count"`
	// Monthly is in USD, nil where no price is known.
	Monthly *float64 `json:"monthlyUSD"`
	// Price is that of one, in words, or where it stands.
	Price string `json:"price"`
}
