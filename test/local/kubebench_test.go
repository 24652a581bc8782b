package local

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/redoubt-dev/redoubt/test/kubebench"
)

var benchmarkChecks = []check{
	{"M36_kube_bench_on_the_control_plane", isolation, benchControlPlane},
	{"M36_kube_bench_on_the_workers", worker, benchWorkers},
}

// exceptionsFile is the one list of accepted FAILs.
const exceptionsFile = "kube-bench-exceptions.yaml"

// programsInMachine is where a machine sees the repository's programs.
const programsInMachine = "/opt/redoubt/bin"

// benchControlPlane also needs a pod to exist: kube-bench judges an empty list
// of pods as a failure of 5.1.6, and would judge nothing in 5.2.
func benchControlPlane(t *testing.T, c *Cluster) {
	_, err := c.createPod(t, unscheduled())
	require.NoError(t, err)
	findings := c.bench(t, c.ControlPlane.Name, "master,etcd,controlplane,policies")
	// A check that could not look is no pass: the parts must all have run.
	for _, prefix := range []string{"1.1.", "1.2.", "1.3.", "1.4.", "2.", "3.", "5.1.", "5.2."} {
		assert.NotZero(t, withPrefix(findings, prefix), "no check of section %s ran", prefix)
	}
	assert.GreaterOrEqual(t, kubebench.Totals(findings)["PASS"], 60)
	c.verdicts(t, findings)
}

func benchWorkers(t *testing.T, c *Cluster) {
	for _, node := range c.Nodes {
		findings := c.bench(t, node.Name, "node")
		assert.GreaterOrEqual(t, kubebench.Totals(findings)["PASS"], 15, node.Name)
	}
}

func withPrefix(findings map[string]kubebench.Finding, prefix string) int {
	count := 0
	for id := range findings {
		if strings.HasPrefix(id, prefix) {
			count++
		}
	}
	return count
}

// bench runs kube-bench inside a machine, where it sees that machine's
// processes and files at their standard paths, and judges the raw result.
func (c *Cluster) bench(t *testing.T, name, targets string) map[string]kubebench.Finding {
	t.Helper()
	exceptions, err := kubebench.ReadExceptions(exceptionsFile)
	require.NoError(t, err)
	config, benchmark, err := kubebench.ConfigDir(c.root)
	require.NoError(t, err)
	_, err = exec.LookPath("jq")
	require.NoError(t, err, "kube-bench's checks of policies need jq, and pass on nothing without it: apt-get install jq")

	// The machine's /var is the only part of its disk that takes files.
	inside := filepath.Join("/var/lib", randomName("verify"))
	outside := filepath.Join(c.MachineDir(name), inside)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(outside)) })
	require.NoError(t, os.MkdirAll(outside, 0o700))
	require.NoError(t, kubebench.CopyTree(filepath.Join(config, benchmark), filepath.Join(outside, "cfg", benchmark)))
	require.NoError(t, kubebench.CopyFile(filepath.Join(config, "config.yaml"), filepath.Join(outside, "cfg", "config.yaml"), 0o600))
	c.writeKubeconfig(t, filepath.Join(outside, "kubeconfig"), name)

	// kube-bench's checks are written for a /bin/sh that is bash; under Debian's
	// dash 5.1.1 fails for its syntax alone. Only this process sees the change.
	const underBash = `mount --bind /bin/bash "$(readlink -f /bin/sh)" && exec env "$@"`
	cmd := c.command(t.Context(), name, "unshare", "--mount", "--propagation", "private", "/bin/bash", "-c", underBash, "kube-bench",
		"PATH="+programsInMachine+":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"KUBECONFIG="+inside+"/kubeconfig", "HOME="+inside,
		programsInMachine+"/kube-bench", "run", "--targets", targets, "--benchmark", benchmark,
		"--config-dir", inside+"/cfg", "--config", inside+"/cfg/config.yaml", "--json")
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	require.NoError(t, cmd.Run(), faults.String())
	findings, err := kubebench.Parse(out.Bytes())
	require.NoError(t, err, faults.String())
	counted := kubebench.Totals(findings)
	t.Logf("%s, kube-bench %s (%s): %d PASS, %d FAIL, %d WARN (to be judged by hand), %d INFO; %d exceptions on the list",
		name, benchmark, targets, counted["PASS"], counted["FAIL"], counted["WARN"], counted["INFO"], len(exceptions))
	assert.NoError(t, kubebench.Judge(findings, exceptions))
	return findings
}

// writeKubeconfig gives a program inside a machine all rights for ten minutes.
func (c *Cluster) writeKubeconfig(t *testing.T, path, from string) {
	t.Helper()
	certificate, key := encodePair(t, c.masters(t).certificate)
	authority, err := os.ReadFile(c.authority("ca") + ".crt")
	require.NoError(t, err)
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: c.endpointFor(from), CertificateAuthorityData: authority}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	require.NoError(t, clientcmd.WriteToFile(*config, path)) // mode 0600
}

func TestJudge(t *testing.T) {
	findings, err := kubebench.Parse([]byte(`{"Controls":[{"node_type":"master","tests":[{"results":[
		{"test_number":"1.1.1","status":"FAIL","test_desc":"a"},{"test_number":"1.2.1","status":"PASS"},{"test_number":"1.3.1","status":"WARN"}]}]}]}`))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"FAIL": 1, "PASS": 1, "WARN": 1}, kubebench.Totals(findings))

	require.ErrorContains(t, kubebench.Judge(findings, nil), "FAIL 1.1.1")
	accepted := map[string]kubebench.Exception{"1.1.1": {}}
	require.NoError(t, kubebench.Judge(findings, accepted))
	accepted["1.2.1"] = kubebench.Exception{}
	require.ErrorContains(t, kubebench.Judge(findings, accepted), "1.2.1 is listed as an exception and does not fail")
	delete(accepted, "1.2.1")
	accepted["4.1.1"] = kubebench.Exception{} // a check of another machine
	require.NoError(t, kubebench.Judge(findings, accepted))

	_, err = kubebench.Parse([]byte(`{"Controls":[]}`))
	require.ErrorContains(t, err, "ran no check")
	_, err = kubebench.Parse([]byte("no such benchmark"))
	require.Error(t, err)
}

func TestReviewedExceptions(t *testing.T) {
	exceptions, err := kubebench.ReadExceptions(exceptionsFile)
	require.NoError(t, err)
	require.NotEmpty(t, exceptions)
	for content, want := range map[string]string{
		"exceptions: [{id: '1', reason: short, reviewed: '2026-01-01'}]":                                                      "a reason",
		"exceptions: [{id: '1', reason: long enough to be a sentence, reviewed: soon}]":                                       "YYYY-MM-DD",
		"exceptions: [{id: '1', reason: long enough to be a sentence, expires: '2026-01-01'}]":                                "unknown field",
		"exceptions: [" + strings.Repeat("{id: '1', reason: long enough to be a sentence, reviewed: '2026-01-01'},", 2) + "]": "twice",
	} {
		path := filepath.Join(t.TempDir(), "list.yaml")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := kubebench.ReadExceptions(path)
		require.ErrorContains(t, err, want)
	}
}
