package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// The toy cloud is called sky. It has machines, and a log for each that outlives it.
const (
	machineToken = "sky:index:Machine"
	logToken     = "sky:index:Log"
	endpoint     = "https://toy.sky.example.test"
)

type machineArgs struct {
	Document *string `pulumi:"document"`
}

type MachineArgs struct{ Document pulumi.StringPtrInput }

func (MachineArgs) ElementType() reflect.Type { return reflect.TypeOf((*machineArgs)(nil)).Elem() }

type machine struct {
	pulumi.CustomResourceState
	Document pulumi.StringPtrOutput `pulumi:"document"`
}

type providerArgs struct{}

type ProviderArgs struct{}

func (ProviderArgs) ElementType() reflect.Type { return reflect.TypeOf((*providerArgs)(nil)).Elem() }

// sky opens the toy cloud: machines boot in a minute of its time.
func sky(options simcloud.Options) (*simcloud.Cloud, error) {
	kind := func(token string) *simcloud.ResourceType {
		return &simcloud.ResourceType{Token: token, Inputs: simcloud.Inputs(MachineArgs{}), Outputs: simcloud.Outputs(machine{}),
			Create: func(c *simcloud.Change) error {
				c.ID = fmt.Sprintf("%s-%d", c.Name, c.Cloud.Next("machine"))
				switch c.New.String("document") {
				case "broken":
					return simcloud.Errorf("BadDocument", "the document is broken: mend it")
				case "logs":
					c.Beside = []*simcloud.Object{{Scope: c.Scope, Type: logToken, ID: "log-" + c.ID, Owner: "sky", State: simcloud.Values{}}}
				case "slow":
					c.Extra = time.Hour
				}
				return nil
			},
			Delete: func(*simcloud.Change) error { return nil },
		}
	}
	return simcloud.Open(simcloud.Definition{
		Package: "sky", Version: "1.0.0", Types: []*simcloud.ResourceType{kind(machineToken), kind(logToken)},
		Provider: simcloud.Inputs(ProviderArgs{}), Scope: func(simcloud.Values) (string, error) { return "here", nil },
		Latencies: simcloud.Latencies{machineToken: {Create: time.Minute, Delete: time.Second}},
	}, options)
}

// timeless is the same without a measure of time, which costs some.
func timeless(options simcloud.Options) (*simcloud.Cloud, error) {
	options.VirtualTime = false
	return sky(options)
}

var runs atomic.Int64

// program is the toy's: machines with the documents of the settings, and a baseline that looks at the first stack.
func program(ctx *pulumi.Context) error {
	make := func(name, document string, opts ...pulumi.ResourceOption) error {
		return ctx.RegisterResource(machineToken, name, pulumi.Map{"document": pulumi.String(document)}, &machine{}, opts...)
	}
	if ctx.Stack() == "toy-prod-baseline" {
		reference, err := pulumi.NewStackReference(ctx, "organization/"+ctx.Project()+"/toy-prod", nil)
		if err != nil {
			return err
		}
		ctx.Export("tenants", pulumi.ToStringArray([]string{"demo"}))
		document := reference.GetStringOutput(pulumi.String("apiEndpoint"))
		return ctx.RegisterResource(machineToken, "agent", pulumi.Map{"document": document}, &machine{})
	}
	var documents []string
	if err := config.GetObject(ctx, "redoubt:documents", &documents); err != nil {
		return err
	}
	group := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource("redoubt:sky:Group", "group", group); err != nil {
		return err
	}
	for i, document := range documents {
		opts := []pulumi.ResourceOption{pulumi.Parent(group)}
		switch document {
		case "changing":
			document = fmt.Sprint("run ", runs.Add(1))
		case "protected":
			opts = append(opts, pulumi.Protect(!config.GetBool(ctx, "redoubt:unprotected")))
		case "surprise":
			if ctx.DryRun() {
				continue
			}
		case "refused":
			return errors.New("redoubt:documents: refused is no document: write another")
		}
		if err := make(fmt.Sprintf("machine-%d", i), document, opts...); err != nil {
			return err
		}
	}
	ctx.Export("apiEndpoint", pulumi.String(endpoint))
	ctx.Export("kubernetesVersion", pulumi.String("1.36"))
	return nil
}

// cluster is a stand-in of a real one, with an API server of a test.
type cluster struct {
	kubeconfig string
	err        error
	hang       chan<- struct{} // is told that the cluster is half up
	ups, gone  int
}

func (c *cluster) Up(ctx context.Context, _ io.Writer) (string, []string, error) {
	c.ups++
	if c.hang != nil {
		c.hang <- struct{}{}
		<-ctx.Done()
		return "", nil, ctx.Err()
	}
	return c.kubeconfig, []string{"stood up"}, c.err
}

func (c *cluster) Destroy(context.Context, io.Writer) error { c.gone++; return nil }

// toy is the rehearsal of an environment with machines that have these documents, in a repository of its own.
func toy(t *testing.T, documents string) (cloud.Rehearsal, *cluster) {
	t.Helper()
	programs := binDir()
	if _, err := os.Stat(filepath.Join(programs, "pulumi")); err != nil {
		t.Skipf("%v: run `make tools` first", err)
	}
	dir := repository(t, documents)
	c := &cluster{}
	return rehearsalOf(dir, c), c
}

func rehearsalOf(dir string, c *cluster) cloud.Rehearsal {
	return cloud.Rehearsal{
		Environment: "toy-prod", Repository: dir, BinDirectory: binDir(), Platform: "sky", Cloud: "Sky", Program: program, Open: timeless,
		Baseline: "toy-prod-baseline", Lift: map[string]string{"redoubt:unprotected": "true"}, Endpoint: "apiEndpoint", Cluster: c, WithoutKubernetes: true,
	}
}

func repository(t *testing.T, documents string) string {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Pulumi.yaml":                          "name: toys\nruntime: go\n",
		"stacks/Pulumi.toy-prod.yaml":          "config:\n  redoubt:platform: sky\n  redoubt:documents: " + documents + "\n",
		"stacks/Pulumi.toy-prod-baseline.yaml": "config:\n  redoubt:platform: sky-baseline\n",
		"stacks/Pulumi.local.yaml":             "config:\n  redoubt:platform: local\n",
	} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

func binDir() string {
	if dir := os.Getenv("REDOUBT_BIN_DIR"); dir != "" {
		return dir
	}
	dir, _ := filepath.Abs("../../../bin")
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
