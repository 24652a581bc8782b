package hostconfig

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// TestRealKubeletFields holds the rules against the kubelet of each minor: it
// names as unknown exactly the fields that the rules say it has not. It decodes
// leniently after that complaint, so that nothing but its log tells. Without
// bootstrap credentials it ends by itself.
func TestRealKubeletFields(t *testing.T) {
	perMinor(t, func(t *testing.T, version string) {
		program(t, programOf(version, componentKubelet))
		t.Parallel()
		for field, setting := range map[string]string{
			"nonsense":                "nonsense: true",
			"tlsCurvePreferences":     "tlsCurvePreferences: [29, 4588]",
			"memoryReservationPolicy": "memoryReservationPolicy: None",
			"defaultPodSysctls":       "defaultPodSysctls: {}",
			"maxParallelImagePulls":   "maxParallelImagePulls: 2",
		} {
			w := worker(t)
			w.KubernetesVersion, w.Paths.Root = version, t.TempDir()
			w.CgroupV1, w.Swap = true, true
			files, err := w.Files()
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if file.Path == w.Paths.KubeletConfig() {
					file.Contents += setting + "\n"
				}
				writeFile(t, file.Path, []byte(file.Contents), os.FileMode(file.Mode))
			}
			kubelet := start(t, programOf(version, componentKubelet), w.KubeletArgs())
			select {
			case <-kubelet.exited:
			case <-time.After(60 * time.Second):
				t.Fatalf("%s: the kubelet did not end:\n%s", field, kubelet.tail())
			}
			if !strings.Contains(kubelet.output(), "unable to load bootstrap kubeconfig") {
				t.Errorf("%s: the kubelet ended for another reason:\n%s", field, kubelet.tail())
			}
			rule, known := kubeletRules[field]
			unknown := strings.Contains(kubelet.output(), `unknown field \"`+field+`\"`)
			if want := !known || !rule.In(minor(version)); unknown != want {
				t.Errorf("%s: unknown to the kubelet: %t, to the rules: %t", field, unknown, want)
			}
		}
	})
}

// TestRealKubeletExtra: what kubelet.extra takes in a minor its kubelet starts
// with, and what it refuses that kubelet does not know or refuses too.
func TestRealKubeletExtra(t *testing.T) {
	type fields = map[string]any
	sysctls := fields{"kernel.shm_rmid_forced": "1"}
	perMinor(t, func(t *testing.T, version string) {
		program(t, programOf(version, componentKubelet))
		t.Parallel()
		for name, each := range map[string]struct {
			extra fields
			// since is the first minor that takes it; empty means none.
			since, field, text string
		}{
			"curves":             {fields{"tlsCurvePreferences": []int{29, 4588}}, "v1.36", "tlsCurvePreferences", "begins with v1.36"},
			"no reservation":     {fields{"memoryReservationPolicy": "None"}, "v1.36", "memoryReservationPolicy", "begins with v1.36"},
			"unknown policy":     {fields{"memoryReservationPolicy": "Hard"}, "", "memoryReservationPolicy", ""},
			"tiers":              {fields{"memoryReservationPolicy": "TieredReservation"}, "v1.37", "memoryReservationPolicy", ""},
			"tiers with gate":    {fields{"memoryReservationPolicy": "TieredReservation", "featureGates": fields{"MemoryQoS": true}}, "v1.36", "memoryReservationPolicy", "begins with v1.36"},
			"tiers without gate": {fields{"memoryReservationPolicy": "TieredReservation", "featureGates": fields{"MemoryQoS": false}}, "", "memoryReservationPolicy", ""},
			"sysctls":            {fields{"defaultPodSysctls": sysctls}, "", "defaultPodSysctls", ""},
			"sysctls with gate":  {fields{"defaultPodSysctls": sysctls, "featureGates": fields{"DefaultPodSysctls": true}}, "v1.37", "defaultPodSysctls", "begins with v1.37"},
		} {
			n := nodeOf(t, OSHost, RoleWorker)
			n.KubernetesVersion, n.Kubelet.CgroupV1, n.Kubelet.Swap = version, true, true
			n.Paths.Root, n.Exceptions = t.TempDir(), []Exception{accept("M16")}
			hardened := n.Worker()
			n.Kubelet.Extra = each.extra
			w, fits := n.Worker(), each.since != "" && minorNumber(each.since) <= minorNumber(minor(version))
			if fits {
				accepted(t, n.Validate(now))
			} else {
				refused(t, n.Validate(now), "kubelet.extra["+quote(each.field)+"]", each.text)
				w = hardened
			}
			files, err := w.Files()
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if file.Path == w.Paths.KubeletConfig() && !fits {
					file.Contents = withFields(t, file.Contents, each.extra)
				}
				writeFile(t, file.Path, []byte(file.Contents), os.FileMode(file.Mode))
			}
			kubelet := start(t, programOf(version, componentKubelet), w.KubeletArgs())
			select {
			case <-kubelet.exited:
			case <-time.After(60 * time.Second):
				t.Fatalf("%s: the kubelet did not end:\n%s", name, kubelet.tail())
			}
			// Past its configuration, the kubelet looks for credentials.
			takes := strings.Contains(kubelet.output(), "unable to load bootstrap kubeconfig") && !strings.Contains(kubelet.output(), "unknown field")
			if takes != fits {
				t.Errorf("%s: taken by the kubelet: %t, by the rules: %t:\n%s", name, takes, fits, kubelet.tail())
			}
		}
	})
}

// withFields writes fields into a rendered document, past every rule.
func withFields(t *testing.T, document string, extra map[string]any) string {
	t.Helper()
	var all map[string]any
	if err := yaml.Unmarshal([]byte(document), &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range extra {
		if own, isMap := all[name].(map[string]any); isMap {
			maps.Copy(own, value.(map[string]any))
		} else {
			all[name] = value
		}
	}
	changed, err := yaml.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(changed)
}
