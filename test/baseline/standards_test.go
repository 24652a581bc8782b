package baseline

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// standards are the pods by which Kubernetes itself proves Pod Security Admission: one for every field of the Pod
// Security Standards and every value of its table. They come with its module.
func standards(t *testing.T, verdict string) map[string]m {
	t.Helper()
	text, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/pod-security-admission").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(text)), "test", "testdata", "restricted", "v1.35", verdict, "*.yaml"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d pods, %v", len(files), err)
	}
	pods := map[string]m{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var pod m
		if err := yaml.Unmarshal(text, &pod); err != nil {
			t.Fatal(err)
		}
		pods[strings.TrimSuffix(filepath.Base(file), ".yaml")] = pod
	}
	return pods
}

// completed gives a pod of the standards what the catalogue asks for beyond them, so that only the field in question
// can be the reason of a refusal.
func completed(pod m) m {
	spec := pod["spec"].(m)
	spec["automountServiceAccountToken"] = false
	for _, list := range []string{"containers", "initContainers"} {
		items, _ := spec[list].([]any)
		for _, item := range items {
			c, whole := item.(m), container("x")
			c["image"], c["resources"] = image, whole["resources"]
			if c["securityContext"] == nil {
				c["securityContext"] = m{}
			}
			c["securityContext"].(m)["readOnlyRootFilesystem"] = true
		}
	}
	volumes, _ := spec["volumes"].([]any)
	for _, volume := range volumes {
		if source, is := volume.(m)["image"].(m); is {
			source["reference"] = image
		}
	}
	metadata := pod["metadata"].(m)
	metadata["namespace"], metadata["name"] = "team", strings.ReplaceAll(metadata["name"].(string), "_", "-")
	if strings.HasPrefix(metadata["name"].(string), "procmount") {
		spec["hostUsers"] = false // otherwise the API server refuses it before anybody is asked
	}
	return pod
}

// standardPolicies are the policies of the catalogue for the checks of the standards.
var standardPolicies = map[string]string{
	"allowprivilegeescalation": "privileges", "privileged": "privileges", "procmount": "privileges", "procmount_restricted": "privileges",
	"apparmorprofile": "kernel-settings", "selinuxoptions": "kernel-settings", "sysctls": "kernel-settings",
	"capabilities_baseline": "capabilities", "capabilities_restricted": "capabilities",
	"hostnamespaces": "host-namespaces", "windowshostprocess": "host-namespaces",
	"hostports": "host-ports", "hostprobesandhostlifecycle": "host-ports",
	"hostpathvolumes": "volume-types", "restrictedvolumes": "volume-types",
	"runasnonroot": "run-as-non-root", "runasuser": "run-as-non-root",
	"seccompprofile_baseline": "seccomp", "seccompprofile_restricted": "seccomp",
}

var trailingNumber = regexp.MustCompile(`[0-9]+$`)

// Every pod by which Kubernetes proves "restricted" is refused by the policy of its field, in a namespace where Pod
// Security itself lets everything in.
func TestPodSecurityStandardsRefused(t *testing.T) {
	a := server(t)
	for name, pod := range standards(t, "fail") {
		t.Run(name, func(t *testing.T) {
			policy, known := standardPolicies[trailingNumber.ReplaceAllString(name, "")]
			if !known {
				t.Fatal("no policy of the catalogue is for this check")
			}
			refusedBy(t, a.everything(completed(pod)), policy)
		})
	}
}

// unsupported are pods that Kubernetes lets in and the catalogue does not, and why.
var unsupported = map[string]string{
	"base_windows": "no node of Windows is provisioned: none has seccomp or capabilities",
}

func TestPodSecurityStandardsLetIn(t *testing.T) {
	a := server(t)
	for name, pod := range standards(t, "pass") {
		t.Run(name, func(t *testing.T) {
			err := a.create(a.dynamic, completed(pod), true)
			if why, is := unsupported[name]; is != (err != nil) {
				t.Errorf("expected a refusal: %q; got %v", why, err)
			}
		})
	}
}
