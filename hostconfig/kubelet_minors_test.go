package hostconfig

import (
	"os"
	"strings"
	"testing"
	"time"
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
