package cloud_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
)

// api answers as an API server with a hardened tenant, but for what it is told to do wrong.
type api struct{ wrong map[string]bool }

func (a api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	list := func(kind, version, items string) {
		fmt.Fprintf(w, `{"kind":"%sList","apiVersion":%q,"items":[%s]}`, kind, version, items)
	}
	refuse := func(code int, message string) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":%d,"message":%q}`, code, message)
	}
	object := func(kind, version, rest string) string {
		return fmt.Sprintf(`{"kind":%q,"apiVersion":%q,"metadata":{"name":"x"}%s}`, kind, version, rest)
	}
	path := strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces")
	switch {
	case path == "/version":
		fmt.Fprint(w, `{"major":"1","minor":"35","gitVersion":"v1.35.4"}`)
	case path == "":
		if r.URL.Query().Get("labelSelector") != "app.kubernetes.io/managed-by=redoubt,!redoubt.dev/system" {
			refuse(http.StatusForbidden, "all namespaces were asked for")
			return
		}
		list("Namespace", "v1", `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"demo"}}`)
	case path == "/demo/pods":
		body, _ := io.ReadAll(r.Body)
		kind := "restricted"
		for each, words := range map[string]string{"privileged": `"privileged":true`, "processes": `"hostPID":true`, "memory": `"hostIPC":true`,
			"network": `"hostNetwork":true`, "escalation": `"allowPrivilegeEscalation":true`, "root": `"runAsUser":0`} {
			if strings.Contains(string(body), words) {
				kind = each
			}
		}
		switch {
		case r.URL.Query().Get("dryRun") != "All":
			refuse(http.StatusForbidden, "a pod was really made")
		case kind != "restricted" && a.wrong[kind+" refused by others"]:
			refuse(http.StatusForbidden, "the quota is used up")
		case kind == "privileged" && a.wrong["allow-privileged"]:
			refuse(http.StatusUnprocessableEntity, "privileged: Forbidden: disallowed by cluster policy")
		case kind != "restricted" && !a.wrong[kind]:
			refuse(http.StatusForbidden, `pods "x" is forbidden: violates PodSecurity "restricted:v1.35"`)
		case kind == "restricted" && a.wrong["nothing runs"]:
			refuse(http.StatusForbidden, "no pod may run here")
		default:
			fmt.Fprint(w, object("Pod", "v1", ""))
		}
	case strings.HasSuffix(path, "/serviceaccounts/default"):
		mounts := a.wrong["tokens"] && strings.HasPrefix(path, "/kube-public")
		fmt.Fprint(w, object("ServiceAccount", "v1", fmt.Sprintf(`,"automountServiceAccountToken":%t`, mounts)))
	case path == "/demo/resourcequotas" && !a.wrong["quota"]:
		list("ResourceQuota", "v1", object("ResourceQuota", "v1", ""))
	case path == "/demo/limitranges" && !a.wrong["limits"]:
		list("LimitRange", "v1", object("LimitRange", "v1", ""))
	case strings.HasSuffix(path, "s/demo/networkpolicies") && !a.wrong["no policy"]:
		rules := ""
		if a.wrong["open policy"] {
			rules = `,"egress":[{}]`
		}
		kinds := `"Ingress","Egress"`
		if a.wrong["one way"] {
			kinds = `"Ingress"`
		}
		list("NetworkPolicy", "networking.k8s.io/v1", object("NetworkPolicy", "networking.k8s.io/v1", `,"spec":{"podSelector":{},"policyTypes":[`+kinds+`]`+rules+`}`))
	case strings.HasSuffix(path, "s/kube-system/networkpolicies") && !a.wrong["kube-system"]:
		list("NetworkPolicy", "networking.k8s.io/v1", object("NetworkPolicy", "networking.k8s.io/v1", `,"spec":{"podSelector":{"matchLabels":{"a":"b"}}}`))
	case strings.HasSuffix(path, "s/redoubt-node-audit/daemonsets/node-audit"):
		command := "cloud-audit-setup.service"
		if a.wrong["audit daemon"] {
			command = "another.service"
		}
		fmt.Fprint(w, object("DaemonSet", "apps/v1", `,"spec":{"template":{"spec":{"initContainers":[{"name":"start","command":["systemctl","start","`+command+`"]}]}}}`))
	default:
		list("Nothing", "v1", "")
	}
}

// kubeconfig of an API server of this test.
func (a api) kubeconfig(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(a)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	authority := filepath.Join(dir, "ca.crt")
	must(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	path := filepath.Join(dir, "kubeconfig")
	must(t, os.WriteFile(path, fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}],
users: [{name: u, user: {token: admin}}], clusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}]}`, server.URL, authority), 0o600))
	return path
}

// Every promise that is broken is found, and nothing else.
func TestProbes(t *testing.T) {
	for wrong, words := range map[string]string{
		"nothing":                      "",
		"allow-privileged":             "",
		"privileged":                   "namespace demo: a privileged pod is let in (M22)",
		"processes":                    "namespace demo: a pod that sees the processes of its node is let in (M22)",
		"memory":                       "namespace demo: a pod that shares memory with its node is let in (M22)",
		"network":                      "namespace demo: a pod in the network of its node is let in (M22)",
		"escalation":                   "namespace demo: a pod that may gain privileges is let in (M22)",
		"root":                         "namespace demo: a pod that runs as root is let in (M22)",
		"privileged refused by others": "a privileged pod is refused, but for another reason",
		"root refused by others":       "refused, but for another reason",
		"nothing runs":                 "is refused: no pod may run here",
		"no policy":                    "no policy denies",
		"open policy":                  "no policy denies",
		"one way":                      "no policy denies",
		"kube-system":                  "namespace kube-system: has no network policy",
		"quota":                        "has no ResourceQuota",
		"limits":                       "has no LimitRange",
		"tokens":                       "namespace kube-public: pods get the token",
		"audit daemon":                 "it does not start cloud-audit-setup",
	} {
		config, err := clientcmd.BuildConfigFromFlags("", api{map[string]bool{wrong: true}}.kubeconfig(t))
		must(t, err)
		report := &cloud.Report{}
		for _, probe := range cloud.Probes(true) {
			_, findings, err := probe.Run(context.Background(), config, rehearse.Result{})
			must(t, err)
			report.Findings = append(report.Findings, findings...)
		}
		if words == "" && len(report.Findings) > 0 || words != "" && (!said(report, cloud.Error, words) || len(report.Findings) != 1) {
			t.Errorf("%s: %+v", wrong, report.Findings)
		}
	}
}

// The baseline reads the outputs of the first stack, and the probes meet the API server that stands in.
func TestTheBaseline(t *testing.T) {
	r, c := toy(t, "[a]")
	c.kubeconfig, r.WithoutKubernetes = api{}.kubeconfig(t), false
	report := run(t, r)
	if !report.Passed || len(report.Findings) != 1 || !said(report, cloud.Warning, "the environment's is 1.36, and v1.35.4 was here") || c.ups != 1 || c.gone != 1 || len(report.Resources) != 2 {
		t.Errorf("up %d, gone %d, %+v", c.ups, c.gone, report)
	}
	clean(t, r)
	steps := fmt.Sprint(report.Steps)
	for _, step := range []string{"{toy-prod-baseline: up again 2 unchanged", "{probe: Pod Security privileged pods refused", "{toy-prod-baseline: destroy "} {
		if !strings.Contains(steps, step) {
			t.Errorf("no step %q: %s", step, steps)
		}
	}
}

func TestAClusterThatDoesNotComeUpIsTakenDown(t *testing.T) {
	r, c := toy(t, "[a]")
	c.err, r.WithoutKubernetes, r.LeftOut = fmt.Errorf("no room"), false, "no machine boots here"
	report := run(t, r)
	if !said(report, cloud.Warning, "the machines boot: : left out: no machine boots here") {
		t.Errorf("nothing says what is left out: %+v", report.Findings)
	}
	if report.Passed || !said(report, cloud.Error, "a real cluster on this machine: : no room") || c.gone != 1 {
		t.Errorf("gone %d: %+v", c.gone, report.Findings)
	}
	if !strings.Contains(fmt.Sprint(report.Steps), "toy-prod: destroy") {
		t.Error("the environment was not taken down")
	}
}
