package local

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
	"github.com/redoubt-dev/redoubt/policies/incident/evidence"
)

// Who is who in the drill.
const (
	drillAccess  = `{"access":{"incidentResponders":["oidc:responders"],"auditors":["oidc:auditors"]}}`
	drillTenants = `[{"name":"team-a","access":{"developers":["oidc:team-a"],"debuggers":["oidc:team-a"]}},{"name":"team-b","access":{"developers":["oidc:team-b"]}}]`
)

// drill is a running environment in which incidents are handled by the book.
type drill struct {
	*Cluster
	web, client runningPod
	// variables are what the reader of a runbook has set.
	variables map[string]string
}

// TestIncidents runs every command of docs/incidents against a real cluster, word by word, and looks from the side of
// an intruder whether what the text says is so (M40).
func TestIncidents(t *testing.T) {
	root := needsMachines(t)
	r := newRehearsal(t, root, map[string]string{"redoubt:workers": "1", "redoubt:baseline": drillAccess, "redoubt:tenants": drillTenants})
	_, c := r.up(t)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(filepath.Join(root, ".evidence", r.name))) })
	d := &drill{Cluster: c, variables: map[string]string{
		"ENV": r.name, "KUBECONFIG": c.KubeconfigPath, "REASON": "ticket 4711: calls an address that nobody knows", "NAMESPACE": "team-a", "POD": "web",
		"NODE": c.Nodes[0].Name, "SUBJECT": "group:oidc:team-a",
	}}
	for _, namespace := range []string{"team-a", "team-b"} {
		c.awaitDefaultAccount(t, namespace)
		// Everybody may talk to everybody: what is cut off below, quarantine cuts off.
		open := networkPolicy("open", []networkingv1.NetworkPolicyIngressRule{{}}, []networkingv1.NetworkPolicyEgressRule{{}})
		open.Spec.PodSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: quarantine.Label, Operator: metav1.LabelSelectorOpDoesNotExist}}
		c.apply(t, namespace, open)
	}
	d.web, d.client = c.startPod(t, drillPod("web", "team-a")), c.startPod(t, drillPod("client", "team-b"))
	d.flows(t, "before", true)

	t.Run("pod", func(t *testing.T) {
		d.read(t, "pod.md", map[string]func(*testing.T){
			"Isolate 1": func(t *testing.T) {
				d.flows(t, "web is isolated", false)
				d.sealed(t, "team-a", "web", true)
				assert.True(t, apierrors.IsForbidden(d.as(t, "oidc:team-a").CoreV1().Pods("team-a").Delete(t.Context(), "web", metav1.DeleteOptions{})), "the evidence can be deleted")
			},
			"Collect 1": func(t *testing.T) {
				d.archive(t, "pod_team-a_web-", "logs/team-a/web/hello.log", "nodes/"+d.Nodes[0].Name+"/firewall.txt")
			},
			"Decide 1": func(t *testing.T) {
				d.flows(t, "web is released", true)
				d.sealed(t, "team-a", "web", false)
			},
		})
	})
	d.web = c.startPod(t, drillPod("web", "team-a"))
	d.flows(t, "a new web", true)
	d.variables["NAMESPACE"] = "team-b"
	t.Run("namespace", func(t *testing.T) {
		write := func() error {
			_, err := d.as(t, "oidc:team-b").CoreV1().ConfigMaps("team-b").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "drill-"}}, metav1.CreateOptions{})
			return err
		}
		d.read(t, "namespace.md", map[string]func(*testing.T){
			"Isolate 1": func(t *testing.T) {
				d.flows(t, "the namespace of the client is isolated", false)
				assert.ErrorContains(t, write(), "M40")
			},
			"Collect 1": func(t *testing.T) { d.archive(t, "namespace_team-b-", "objects/pod/team-b/client.yaml", "audit.jsonl") },
			"Decide 1": func(t *testing.T) {
				d.flows(t, "the namespace is released", true)
				assert.NoError(t, write())
			},
		})
	})
	t.Run("node", func(t *testing.T) {
		d.read(t, "node.md", map[string]func(*testing.T){
			"Isolate 1": func(t *testing.T) {
				d.flows(t, "the node is isolated", false)
				late := drillPod("late", "team-a")
				late.Spec.NodeSelector = map[string]string{verifyLabel: "nowhere"}
				_, err := c.createPod(t, late)
				require.NoError(t, err)
				scheduler := c.client(t, caller{certificate: c.mint(t, "ca", "system:kube-scheduler")})
				err = scheduler.CoreV1().Pods("team-a").Bind(t.Context(), &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "late"},
					Target: corev1.ObjectReference{Kind: "Node", Name: d.Nodes[0].Name}}, metav1.CreateOptions{})
				assert.ErrorContains(t, err, "the node is under quarantine")
			},
			"Collect 1": func(t *testing.T) {
				d.archive(t, "node_"+d.Nodes[0].Name+"-", "objects/node/"+d.Nodes[0].Name+".yaml", "nodes/"+d.Nodes[0].Name+"/processes.txt")
			},
			"Decide 1": func(t *testing.T) { d.flows(t, "the node is released", true) },
		})
	})
	t.Run("access", func(t *testing.T) { d.read(t, "access.md", nil) })
	t.Run("second_up_changes_nothing", r.settled)
}

// secretInALog is what a program should not have written: it must not be in an archive.
const secretInALog = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJkcmlsbCJ9.c2lnbmF0dXJl"

func drillPod(name, namespace string) *corev1.Pod {
	pod := compliantPod(name)
	pod.Namespace = namespace
	pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "DB_PASSWORD", Value: "correct-horse"}, {Name: "GREETING", Value: secretInALog}}
	return pod
}

// read runs a runbook's commands, and after each block the check that is named by its section and number.
func (d *drill) read(t *testing.T, name string, checks map[string]func(*testing.T)) {
	t.Helper()
	steps, err := readRunbook(filepath.Join(d.root, "docs", "incidents", name))
	require.NoError(t, err)
	environment := []string{"PATH=" + programs(d.root) + ":" + os.Getenv("PATH")}
	for key, value := range d.variables {
		environment = append(environment, key+"="+value)
	}
	s, err := newShell(d.root, environment)
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.close()) }()
	made := 0
	for i, step := range steps {
		out, err := s.run(step.command)
		require.NoError(t, err, "%s: %s\n%s", name, step.command, out)
		for _, line := range step.prints {
			require.Contains(t, out, os.Expand(line, func(key string) string { return d.variables[key] }), "%s: %s", name, step.command)
		}
		at := step.section + " " + strconv.Itoa(step.block)
		if check := checks[at]; check != nil && (i+1 == len(steps) || steps[i+1].section+strconv.Itoa(steps[i+1].block) != step.section+strconv.Itoa(step.block)) {
			made++
			check(t)
		}
	}
	require.Equal(t, len(checks), made, "%s has other sections than the drill", name)
}

// flows demands that the client reaches the pod, or does not.
func (d *drill) flows(t *testing.T, stage string, want bool) {
	t.Helper()
	target := net.JoinHostPort(d.web.Status.PodIP, strconv.Itoa(helloPort))
	policyPods{"client": d.client}.flows(t, d.Cluster, stage, map[string]bool{"client " + target: want})
}

func (d *drill) as(t *testing.T, group string) *kubernetes.Clientset {
	return d.Cluster.client(t, caller{certificate: d.mint(t, "ca", "oidc:somebody", group)})
}

// sealed demands that whoever may get into pods of the tenant is refused at this one, or not; forensics never is.
func (d *drill) sealed(t *testing.T, namespace, name string, want bool) {
	t.Helper()
	for group, refused := range map[string]bool{"oidc:team-a": want, "oidc:responders": false} {
		err := d.as(t, group).CoreV1().RESTClient().Verb(http.MethodPost).Namespace(namespace).Resource("pods").Name(name).SubResource("exec").
			Param("command", "/hello").Param("stdout", "true").Do(t.Context()).Error()
		assert.Equal(t, refused, err != nil && strings.Contains(err.Error(), "M40"), "%s: %v", group, err)
	}
}

// archive opens the one that was just collected, and looks for what must be in it and what must not.
func (d *drill) archive(t *testing.T, prefix string, want ...string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(d.root, ".evidence", d.Environment, prefix+"*.tar.gz"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	files, _, err := evidence.Read(found[0])
	require.NoError(t, err)
	for _, name := range want {
		_, there := files[name] // the container wrote nothing
		assert.True(t, there, "%s is not in it", name)
	}
	for name, content := range files {
		for _, secret := range []string{"correct-horse", secretInALog, "PRIVATE KEY-----\n"} {
			assert.False(t, strings.Contains(string(content), secret), "%s has a secret", name)
		}
		assert.NotContains(t, name, "/secret/", "a Secret is in it")
	}
}

// TestRunbooksAreRead keeps the drill complete: every document of incidents is one that it runs.
func TestRunbooksAreRead(t *testing.T) {
	root, err := RepositoryRoot()
	require.NoError(t, err)
	found, err := filepath.Glob(filepath.Join(root, "docs", "incidents", "*.md"))
	require.NoError(t, err)
	source, err := os.ReadFile("incidents_test.go")
	require.NoError(t, err)
	for _, path := range found {
		if name := filepath.Base(path); name != "README.md" {
			assert.Contains(t, string(source), `"`+name+`"`, "no drill runs it")
			_, err := readRunbook(path)
			assert.NoError(t, err)
		}
	}
	assert.Len(t, found, 5)
}
