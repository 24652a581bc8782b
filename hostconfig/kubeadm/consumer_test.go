package kubeadm

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// perMinor runs a test for each supported minor, with its proven version.
func perMinor(t *testing.T, test func(t *testing.T, version string)) {
	t.Helper()
	for _, m := range hostconfig.SupportedMinors() {
		t.Run(m.Name, func(t *testing.T) { test(t, m.Proven) })
	}
}

// program finds the pinned kubeadm of a version: in REDOUBT_BIN_DIR, or where
// the repository builds its programs, a further version's in its own directory.
func program(t *testing.T, version string) string {
	t.Helper()
	name := "kubeadm"
	if version != hostconfig.DefaultKubernetesVersion {
		name = filepath.Join(version, name)
	}
	directory, chosen := os.LookupEnv("REDOUBT_BIN_DIR")
	if !chosen {
		directory = filepath.Join("..", "..", "bin")
	}
	found, err := filepath.Abs(filepath.Join(directory, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(found); err != nil {
		t.Skipf("%s is not built: %v; run make tools-all, or set REDOUBT_BIN_DIR", name, err)
	}
	return found
}

func written(t *testing.T, contents string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeadm.yaml")
	if err := os.WriteFile(file, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestKubeadmValidates asks the real program, which refuses unknown fields.
func TestKubeadmValidates(t *testing.T) { perMinor(t, kubeadmValidates) }

func kubeadmValidates(t *testing.T, version string) {
	kubeadm := program(t, version)
	validate := func(contents string) (string, error) {
		output, err := exec.Command(kubeadm, "config", "validate", "--config", written(t, contents)).CombinedOutput()
		return string(output), err
	}
	for name, each := range cases() {
		if each.action != Init { // kubeadm wants the discovery file to be there
			each.spec.DiscoveryFile = written(t, "")
		}
		contents := render(t, each.spec.of(version), each.action)
		output, err := validate(contents)
		if err != nil || strings.TrimSpace(output) != "ok" {
			t.Errorf("%s: %v: %s", name, err, output)
		}
		// The judge must be one: a field that nobody knows is refused.
		if output, err := validate(strings.Replace(contents, "nodeRegistration:", "nodeRegistrations:", 1)); err == nil && strings.TrimSpace(output) == "ok" {
			t.Errorf("%s: kubeadm accepts an unknown field", name)
		}
	}
}

// TestKubeadmWritesTheseManifests lets the real program write the static pods
// and reads them: every argument that is meant arrives, and every path that an
// argument names is in the pod.
func TestKubeadmWritesTheseManifests(t *testing.T) { perMinor(t, kubeadmWritesTheseManifests) }

func kubeadmWritesTheseManifests(t *testing.T, version string) {
	kubeadm := program(t, version)
	if os.Geteuid() != 0 {
		t.Skip("kubeadm writes manifests for root only")
	}
	for name, s := range map[string]Spec{"alone": controlPlane(), "several": several()} {
		s = s.of(version).WithDefaults()
		file, written := written(t, render(t, s, Init)), t.TempDir()
		for _, phase := range []string{"control-plane", "etcd"} {
			which := map[string]string{"control-plane": "all", "etcd": "local"}[phase]
			command := exec.Command(kubeadm, "init", "phase", phase, which, "--dry-run", "--config", file)
			command.Env = []string{"PATH=" + os.Getenv("PATH"), "KUBEADM_INIT_DRYRUN_DIR=" + written}
			if output, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%s: %s: %v: %s", name, phase, err, output)
			}
		}
		for _, component := range []string{hostconfig.ComponentEtcd, hostconfig.ComponentAPIServer, hostconfig.ComponentControllerManager, hostconfig.ComponentScheduler} {
			contents, err := os.ReadFile(filepath.Join(written, component+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var pod corev1.Pod
			if err := yaml.UnmarshalStrict(contents, &pod); err != nil {
				t.Fatal(err)
			}
			container := pod.Spec.Containers[0]
			for _, a := range s.arguments(component) {
				if !slices.Contains(container.Command, "--"+a.Name+"="+a.Value) {
					t.Errorf("%s: %s runs without --%s=%s", name, component, a.Name, a.Value)
				}
			}
			for _, a := range parse(container.Command[1:]) {
				if !filepath.IsAbs(a.Value) || a.Name == "authorization-always-allow-paths" {
					continue
				}
				if !slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool {
					return a.Value == m.MountPath || strings.HasPrefix(a.Value, m.MountPath+"/")
				}) {
					t.Errorf("%s: %s does not see --%s=%s", name, component, a.Name, a.Value)
				}
			}
			if component == hostconfig.ComponentAPIServer {
				requireFiles(t, s, container.VolumeMounts)
			}
		}
	}
}

// requireFiles: each mounted file is one that hostconfig renders, or whose
// origin is known.
func requireFiles(t *testing.T, s Spec, mounts []corev1.VolumeMount) {
	t.Helper()
	files, err := s.Files()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 { // audit policy, authentication, admission, event rate limit
		t.Errorf("%d files", len(files))
	}
	for _, file := range files {
		if !slices.ContainsFunc(mounts, func(m corev1.VolumeMount) bool { return m.MountPath == file.Path && m.ReadOnly }) {
			t.Errorf("%s is not mounted read-only", file.Path)
		}
	}
}
