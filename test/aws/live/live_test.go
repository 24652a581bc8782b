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
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	stacks "github.com/redoubt-dev/redoubt/stacks/aws"
)

// How long an operation may take; a cluster takes AWS 8 to 16 minutes.
const (
	upTime      = 50 * time.Minute
	destroyTime = 50 * time.Minute
	reachTime   = 20 * time.Second
)

// minor is what the environment has.
const minor = "1.35"

// M43, M45: aws-dev comes up in a real account, stays as it is, is as private as it says, and goes without a trace.
func TestDevelopmentInARealAccount(t *testing.T) {
	a := open(t)
	name := "live-" + strings.ToLower(random.UniqueID())
	t.Logf("makes %s in account %s, %s: about half a US dollar an hour, for about 45 minutes", name, a.id, a.region)
	stack := a.stack(t, name)
	t.Cleanup(func() { a.remove(t, stack, name) })

	ctx, cancel := context.WithTimeout(t.Context(), upTime)
	defer cancel()
	made, err := stack.Up(ctx, optup.ProgressStreams(os.Stdout), optup.SuppressOutputs())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stack.Preview(ctx, optpreview.Refresh(), optpreview.ExpectNoChanges(), optpreview.SuppressOutputs()); err != nil {
		t.Errorf("not as it was made: %v", err)
	}
	a.look(t, name)
	a.reach(t, made.Outputs["kubeconfig"].Value.(string))
}

// stack is aws-dev under another name, with the official plugins and a backend of its own.
func (a account) stack(t *testing.T, name string) auto.Stack {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "stacks", "Pulumi.aws-dev.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Config map[string]any `json:"config"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	const linked = "AWSServiceRoleForAutoScaling" // an account has one, or none yet
	missing := a.call(t.Context(), nil, "iam", "get-role", "--role-name", linked) != nil
	set := func(setting, field string, value any) {
		file.Config["redoubt:"+setting].(map[string]any)[field] = value
	}
	set("account", "id", a.id)
	set("account", "region", a.region)
	set("network", "zones", []string{a.region + "a", a.region + "b"})
	set("keys", "createAutoScalingRole", missing)
	for _, addon := range []string{"vpc-cni", "kube-proxy", "eks-pod-identity-agent"} {
		set("addonVersions", addon, a.addon(t, addon, minor))
	}
	file.Config["redoubt:access"] = []any{map[string]any{"name": "test", "role": "admin", "principalArn": a.role}}
	file.Config["redoubt:nodePools"].([]any)[0].(map[string]any)["releaseVersion"] = a.release(t, minor, "arm64")

	work := t.TempDir()
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{"Pulumi.yaml": []byte("name: redoubt-live\nruntime: go\n"), "Pulumi." + name + ".yaml": text} {
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
func (a account) remove(t *testing.T, stack auto.Stack, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), destroyTime) // the test's own has ended
	defer cancel()
	_, err := stack.Destroy(ctx, optdestroy.ProgressStreams(os.Stdout), optdestroy.Refresh(), optdestroy.SuppressOutputs())
	// EKS writes on while it is deleted, and makes its group again, without a key.
	swept := a.sweep(ctx, name)
	if err := errors.Join(err, swept); err != nil {
		t.Errorf("something is left of %s in account %s, %s, where it costs money; it is tagged redoubt.dev/cluster=%s: %v", name, a.id, a.region, name, err)
	}
}

// look asks AWS what it has.
func (a account) look(t *testing.T, name string) {
	t.Helper()
	var cluster struct {
		EndpointPublicAccess, EndpointPrivateAccess bool
	}
	a.ask(t, &cluster, "eks", "describe-cluster", "--name", name, "--query", "cluster.resourcesVpcConfig.{EndpointPublicAccess:endpointPublicAccess,EndpointPrivateAccess:endpointPrivateAccess}")
	if cluster.EndpointPublicAccess || !cluster.EndpointPrivateAccess {
		t.Errorf("the endpoint: %+v", cluster)
	}
	var groups []string
	a.ask(t, &groups, "eks", "list-nodegroups", "--cluster-name", name, "--query", "nodegroups")
	if len(groups) != 1 {
		t.Fatalf("node groups: %v", groups)
	}
	var group struct {
		Status string
		Issues []any
	}
	a.ask(t, &group, "eks", "describe-nodegroup", "--cluster-name", name, "--nodegroup-name", groups[0], "--query", "nodegroup.{Status:status,Issues:health.issues}")
	if group.Status != "ACTIVE" || len(group.Issues) > 0 {
		t.Errorf("nodes: %+v", group)
	}
	var public []string
	a.ask(t, &public, "ec2", "describe-instances", "--filters", "Name=tag:redoubt.dev/cluster,Values="+name, "--query", "Reservations[].Instances[].PublicIpAddress")
	if len(public) > 0 {
		t.Errorf("nodes have public addresses: %v", public)
	}
}

// reach asks the API, where it is reached: from inside the network, or one that it is connected with.
func (a account) reach(t *testing.T, kubeconfig string) {
	t.Helper()
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	config.Timeout = reachTime
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	text, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(t.Context())
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		t.Logf("the private endpoint is not reached from here, as it should be; run this inside the network to ask the API: %v", err)
		return
	}
	if !a.caller {
		t.Logf("the API is there; it is asked no more, because REDOUBT_LIVE_AWS_ROLE is not the role of the credentials: %v", err)
		return
	}
	if err != nil || string(text) != "ok" {
		t.Errorf("the API answers %q: %v", text, err)
	}
	if version, err := client.Discovery().ServerVersion(); err != nil || !strings.HasPrefix(version.GitVersion, "v"+minor+".") {
		t.Errorf("Kubernetes %v, want %s: %v", version, minor, err)
	}
}
