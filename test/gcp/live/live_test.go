package live

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/random"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"sigs.k8s.io/yaml"

	stacks "github.com/redoubt-dev/redoubt/stacks/gcp"
)

// How long an operation may take; a cluster takes Google 5 to 10 minutes.
const (
	upTime      = 50 * time.Minute
	destroyTime = 50 * time.Minute
	reachTime   = 20 * time.Second
)

// M43, M45: gcp-dev comes up in a real project, stays as it is, is as private as it says, and goes without a trace but
// the names of its keys.
func TestDevelopmentInARealProject(t *testing.T) {
	p := open(t)
	name := "live-" + strings.ToLower(random.UniqueID())
	t.Logf("makes %s in project %s, %s: about a quarter of a US dollar an hour, for about 40 minutes", name, p.id, p.region)
	stack := p.stack(t, name)
	t.Cleanup(func() { p.remove(t, stack, name) })

	ctx, cancel := context.WithTimeout(t.Context(), upTime)
	defer cancel()
	made, err := stack.Up(ctx, optup.ProgressStreams(os.Stdout), optup.SuppressOutputs())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stack.Preview(ctx, optpreview.Refresh(), optpreview.ExpectNoChanges(), optpreview.SuppressOutputs()); err != nil {
		t.Errorf("not as it was made: %v", err)
	}
	p.look(t, name)
	reach(t, strings.TrimPrefix(made.Outputs["apiEndpoint"].Value.(string), "https://"))
}

// settings are those of gcp-dev in this project, under another name.
func (p project) settings(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "stacks", "Pulumi.gcp-dev.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Config map[string]any `json:"config"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	var images []struct{ Name string }
	p.ask(t, &images, "compute", "images", "list", "--filter", "family=cos-stable", "--sort-by", "~creationTimestamp", "--limit", "1")
	if len(images) == 0 {
		t.Fatal("Google has no image of the family cos-stable")
	}
	for setting, value := range map[string]any{
		"project":       map[string]any{"id": p.id, "number": p.number, "region": p.region},
		"securityGroup": p.group,
		"access":        []any{map[string]any{"name": "test", "role": "admin", "member": p.member}},
		"detection":     map[string]any{"emails": []string{"redoubt-live@example.com"}},
		"entry":         map[string]any{"zone": p.region + "-a", "image": "projects/cos-cloud/global/images/" + images[0].Name, "members": []string{p.member}},
		"images":        map[string]any{"allowed": []string{p.region + "-docker.pkg.dev/" + p.id + "/" + name + "/**"}},
		"registry":      map[string]any{"repositories": []string{name}},
	} {
		file.Config["redoubt:"+setting] = value
	}
	file.Config["redoubt:network"].(map[string]any)["zones"] = []string{p.region + "-a", p.region + "-b"}
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// stack has the official plugins and a backend of its own.
func (p project) stack(t *testing.T, name string) auto.Stack {
	t.Helper()
	work := t.TempDir()
	for path, content := range map[string][]byte{"Pulumi.yaml": []byte("name: redoubt-live\nruntime: go\n"), "Pulumi." + name + ".yaml": p.settings(t, name)} {
		if err := os.WriteFile(filepath.Join(work, path), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	workspace, err := auto.NewLocalWorkspace(t.Context(), auto.WorkDir(work), auto.Program(stacks.Program), auto.SecretsProvider("passphrase"),
		auto.EnvVars(map[string]string{"PULUMI_BACKEND_URL": "file://" + work, "PULUMI_CONFIG_PASSPHRASE": name}))
	if err != nil {
		t.Fatal(err)
	}
	stack, err := auto.UpsertStack(t.Context(), name, workspace)
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

// remove takes everything away, and names what is left.
func (p project) remove(t *testing.T, stack auto.Stack, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), destroyTime) // the test's own has ended
	defer cancel()
	_, err := stack.Destroy(ctx, optdestroy.ProgressStreams(os.Stdout), optdestroy.Refresh(), optdestroy.SuppressOutputs())
	if err := errors.Join(err, p.sweep(ctx, name)); err != nil {
		t.Errorf("something is left of %s in project %s, where it costs money; its labels have redoubt-cluster=%s: %v", name, p.id, name, err)
	}
}

// look asks Google what it has.
func (p project) look(t *testing.T, name string) {
	t.Helper()
	var cluster struct {
		Status               string
		PrivateClusterConfig struct{ EnablePrivateNodes, EnablePrivateEndpoint bool }
		DatabaseEncryption   struct{ State, CurrentState string }
		NodePools            []struct {
			Name, Status string
			Config       struct {
				ImageType, BootDiskKmsKey string
				ShieldedInstanceConfig    struct{ EnableSecureBoot bool }
			}
		}
	}
	p.ask(t, &cluster, "container", "clusters", "describe", name, "--location", p.region)
	if cluster.Status != "RUNNING" || !cluster.PrivateClusterConfig.EnablePrivateNodes || !cluster.PrivateClusterConfig.EnablePrivateEndpoint || cluster.DatabaseEncryption.State != "ENCRYPTED" {
		t.Errorf("the cluster: %+v", cluster)
	}
	if len(cluster.NodePools) != 1 {
		t.Fatalf("node pools: %+v", cluster.NodePools)
	}
	if pool := cluster.NodePools[0]; pool.Status != "RUNNING" || pool.Config.ImageType != "COS_CONTAINERD" || pool.Config.BootDiskKmsKey == "" || !pool.Config.ShieldedInstanceConfig.EnableSecureBoot {
		t.Errorf("nodes: %+v", pool)
	}
	var machines []struct {
		Name              string
		NetworkInterfaces []struct{ AccessConfigs []any }
	}
	p.ask(t, &machines, "compute", "instances", "list", "--filter", "labels.redoubt-cluster="+name)
	if len(machines) < 3 { // two nodes and the forwarder
		t.Errorf("machines: %+v", machines)
	}
	for _, machine := range machines {
		for _, each := range machine.NetworkInterfaces {
			if len(each.AccessConfigs) > 0 {
				t.Errorf("%s has an address on the internet", machine.Name)
			}
		}
	}
}

// reach connects to the API server, which is private: from outside nothing answers.
func reach(t *testing.T, endpoint string) {
	t.Helper()
	connection, err := net.DialTimeout("tcp", net.JoinHostPort(endpoint, "443"), reachTime)
	if err != nil {
		t.Logf("the private endpoint is not reached from here, as it should be outside its network: %v", err)
		return
	}
	if err := connection.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("the private endpoint %s is reached from here: this runs inside its network", endpoint)
}
