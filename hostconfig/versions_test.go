package hostconfig

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// perMinor runs a test for each supported minor, with its proven version.
func perMinor(t *testing.T, test func(t *testing.T, version string)) {
	t.Helper()
	for _, m := range SupportedMinors() {
		t.Run(m.Name, func(t *testing.T) { test(t, m.Proven) })
	}
}

// programOf gives the name under which a program of a version is built: the
// default version's beside the other programs, a further one's in its directory.
func programOf(version, name string) string {
	if version == DefaultKubernetesVersion || name == ComponentEtcd {
		return name
	}
	return filepath.Join(version, name)
}

func TestSupportedMinors(t *testing.T) {
	minors := SupportedMinors()
	if len(minors) != 3 {
		t.Errorf("%d minors, upstream supports three", len(minors))
	}
	last := 0
	for _, m := range minors {
		if minor(m.Proven) != m.Name || minorNumber(m.Name) != last+1 && last != 0 {
			t.Errorf("%+v is out of order, or not proven by one of its own", m)
		}
		last = minorNumber(m.Name)
		if _, err := time.Parse(time.DateOnly, m.EndOfLife); err != nil {
			t.Error(err)
		}
	}
	if found, supported := FindMinor(DefaultKubernetesVersion); !supported || found.Proven != DefaultKubernetesVersion {
		t.Errorf("the default is not the proven version of a supported minor: %+v", found)
	}
	if got := SandboxImage("v1.36.9"); got != "registry.k8s.io/pause:3.10.2" {
		t.Error(got)
	}
}

// TestEndOfLife: the last day of support still counts, the day after needs an
// exception, and an exception for another control is none (M35).
func TestEndOfLife(t *testing.T) {
	lastDay, after := time.Date(2027, 2, 28, 23, 59, 0, 0, time.UTC), time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	c, w := isolated(), worker(t)
	accepted(t, c.Validate(lastDay))
	accepted(t, w.Validate(lastDay))
	refused(t, c.Validate(after), "kubernetesVersion", "M35")
	refused(t, w.Validate(after), "kubernetesVersion", "2027-02-28")
	for control, fails := range map[string]bool{"M34": true, "M35": false} {
		exception := accept(control)
		exception.Expires = "2027-04-30"
		c.Exceptions, w.Exceptions = []Exception{exception}, []Exception{exception}
		if (c.Validate(after) != nil) != fails || (w.Validate(after) != nil) != fails {
			t.Errorf("with an exception for %s: %v, %v", control, c.Validate(after), w.Validate(after))
		}
	}
	// No exception admits a minor that nothing was proven for.
	for _, version := range []string{"v1.34.9", "v1.38.0", "v2.35.0", "v1.350.0"} {
		c.KubernetesVersion = version
		refused(t, c.Validate(lastDay), "kubernetesVersion", "proven for v1.35, v1.36, v1.37")
	}
}

func TestNodeSkew(t *testing.T) {
	for _, each := range []struct{ node, server, text string }{
		{"v1.37.1", "v1.37.1", ""}, {"v1.37.9", "v1.37.1", ""}, {"v1.36.4", "v1.37.1", ""}, {"v1.34.0", "v1.37.1", ""},
		{"v1.33.9", "v1.37.1", "older"}, {"v1.37.1", "v1.36.4", "newer"}, {"1.37", "v1.37.1", "compared"}, {"v2.37.1", "v1.37.1", "compared"},
	} {
		err := CheckNodeSkew("kubernetesVersion", each.node, each.server)
		if each.text == "" {
			accepted(t, err)
		} else {
			refused(t, err, "kubernetesVersion", each.text)
		}
	}
}

// TestRulesOfMinors: a flag or field exists in some minors only, and is refused
// with its reason in the others.
func TestRulesOfMinors(t *testing.T) {
	for _, each := range []struct{ component, flag, value, fits, foreign, text string }{
		{ComponentControllerManager, "concurrent-service-syncs", "2", "v1.36.4", "v1.37.1", "v1.37 removed it"},
		{ComponentControllerManager, "concurrent-resourceclaim-syncs", "2", "v1.36.4", "v1.35.4", "begins with v1.36"},
		{ComponentControllerManager, "concurrent-disruption-syncs", "2", "v1.37.1", "v1.36.4", "begins with v1.37"},
		{ComponentAPIServer, "tls-curve-preferences", "29,4588", "v1.36.4", "v1.35.4", "begins with v1.36"},
	} {
		c := isolated()
		c.ExtraArgs = map[string]map[string]string{each.component: {each.flag: each.value}}
		c.KubernetesVersion = each.fits
		accepted(t, c.Validate(now))
		c.KubernetesVersion, c.Exceptions = each.foreign, []Exception{accept("M14"), accept("CIS-1.2.29")}
		refused(t, c.Validate(now), "extraArgs["+quote(each.component)+"]["+quote(each.flag)+"]", each.text)
		if _, rendered := value(c.arguments(each.component), each.flag); rendered {
			t.Errorf("%s is rendered for %s", each.flag, each.foreign)
		}
	}
	w := worker(t)
	w.ExtraKubelet = map[string]any{"memoryReservationPolicy": "TieredReservation", "tlsCurvePreferences": []int{4588, 29}}
	refused(t, w.Validate(now), `extraKubelet["memoryReservationPolicy"]`, "begins with v1.36")
	w.KubernetesVersion = "v1.36.4"
	refused(t, w.Validate(now), `extraKubelet["memoryReservationPolicy"]`, "MemoryQoS")
	w.KubernetesVersion = "v1.37.1"
	accepted(t, w.Validate(now))
	file, err := w.kubeletFile()
	if err != nil || !strings.Contains(file.Contents, "memoryReservationPolicy: TieredReservation") || !strings.Contains(file.Contents, "- 4588") {
		t.Errorf("%v:\n%s", err, file.Contents)
	}
}

// TestGatesOfMinors: what a minor turns on by itself and exposes is turned off,
// and nobody turns it on again without an exception.
func TestGatesOfMinors(t *testing.T) {
	for _, each := range []struct{ version, component, gates string }{
		{"v1.35.4", ComponentAPIServer, ""},
		{"v1.35.4", ComponentControllerManager, "RotateKubeletServerCertificate=true"},
		{"v1.36.4", ComponentAPIServer, "AllowServiceExternalIPs=false,ComponentFlagz=false,ComponentStatusz=false"},
		{"v1.36.4", ComponentScheduler, "ComponentFlagz=false,ComponentStatusz=false"},
		{"v1.37.1", ComponentAPIServer, "AllowServiceExternalIPs=false,AllowUnsafeMalformedObjectDeletion=false,ComponentFlagz=false,ComponentStatusz=false"},
		{"v1.37.1", componentKubelet, "ComponentFlagz=false,ComponentStatusz=false,KubeletInUserNamespace=false,RotateKubeletServerCertificate=true"},
	} {
		if got := renderGates(hardenedGates(each.component, minor(each.version))); got != each.gates {
			t.Errorf("%s of %s: %s, want %s", each.component, each.version, got, each.gates)
		}
	}
	for version, weak := range map[string][]string{
		"v1.35.4": {"NodeLogQuery=true", "KubeletFineGrainedAuthz=false", "PreventStaticPodAPIReferences=false", "AllowServiceExternalIPs=false"},
		"v1.36.4": {"ComponentFlagz=true", "kube:ComponentStatusz=1", "AllowServiceExternalIPs=true", "NodeLogQuery=false", "StrictIPCIDRValidation=false"},
		"v1.37.1": {"AllowUnsafeMalformedObjectDeletion=true", "KubeletInUserNamespace=true", "KubeletAllocatedPodsEndpoint=true", "PreventStaticPodAPIReferences=true"},
	} {
		for _, gates := range weak {
			c := isolated()
			c.KubernetesVersion = version
			before := c.APIServerArgs()
			c.ExtraArgs = map[string]map[string]string{ComponentAPIServer: {"feature-gates": gates}}
			refused(t, c.Validate(now), `extraArgs["kube-apiserver"]["feature-gates"]`, "M14")
			if !slices.Equal(before, c.APIServerArgs()) {
				t.Errorf("%s: %s was refused but rendered", version, gates)
			}
			c.Exceptions = []Exception{accept("M14")}
			accepted(t, c.Validate(now))
		}
	}
}
