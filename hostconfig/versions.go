package hostconfig

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// controlSupported upholds that only supported Kubernetes versions run.
const controlSupported = "M35"

// Minor is one minor release of Kubernetes for which the settings are proven.
type Minor struct {
	// Name is the minor, for example "v1.35".
	Name string `json:"name"`
	// Proven is the patch release whose programs judge the settings.
	Proven string `json:"proven"`
	// EndOfLife is the last day of upstream's support, as YYYY-MM-DD in UTC.
	EndOfLife string `json:"endOfLife"`
	// SandboxImage is the image of the container that holds a pod's namespaces,
	// the one that upstream tests the minor with.
	SandboxImage string `json:"sandboxImage"`
}

// supportedMinors has the days of https://kubernetes.io/releases/patch-releases/
// and the images of kubeadm's own table, oldest minor first.
var supportedMinors = []Minor{
	{Name: "v1.35", Proven: "v1.35.4", EndOfLife: "2027-02-28", SandboxImage: "registry.k8s.io/pause:3.10.1"},
	{Name: "v1.36", Proven: "v1.36.4", EndOfLife: "2027-06-28", SandboxImage: "registry.k8s.io/pause:3.10.2"},
	{Name: "v1.37", Proven: "v1.37.1", EndOfLife: "2027-10-28", SandboxImage: "registry.k8s.io/pause:3.10.2"},
}

// SupportedMinors gives the minors that the settings are proven for, oldest first.
func SupportedMinors() []Minor { return append([]Minor(nil), supportedMinors...) }

// FindMinor gives the supported minor of a full version such as "v1.35.4".
func FindMinor(version string) (Minor, bool) {
	name := minor(version)
	for _, each := range supportedMinors {
		if each.Name == name {
			return each, true
		}
	}
	return Minor{}, false
}

// SandboxImage gives the sandbox image of a full version's minor, or that of the
// oldest supported one when the minor is not supported.
func SandboxImage(version string) string {
	if m, supported := FindMinor(version); supported {
		return m.SandboxImage
	}
	return supportedMinors[0].SandboxImage
}

// minor gives "v1.35" for "v1.35.4", or nothing when the version is not one.
func minor(version string) string {
	parts := strings.Split(version, ".")
	if len(parts) != 3 || !strings.HasPrefix(parts[0], "v") {
		return ""
	}
	for i, part := range parts {
		digits := strings.TrimPrefix(part, "v")
		if digits == "" || (i > 0 && part != digits) || strings.Trim(digits, "0123456789") != "" {
			return ""
		}
	}
	return parts[0] + "." + parts[1]
}

// minorNumber gives 35 for "v1.35", and 0 for what is no minor of v1.
func minorNumber(name string) int {
	digits, found := strings.CutPrefix(name, "v1.")
	n, err := strconv.Atoi(digits)
	if !found || err != nil || n < 0 {
		return 0
	}
	return n
}

// version wants a full version of a supported minor whose support has not ended (M35).
func (p *problems) version(field, value string, exceptions []Exception, now time.Time) {
	name := minor(value)
	if name == "" {
		p.add(field, fmt.Sprintf("%q is not a Kubernetes version", value), "write a full version such as "+DefaultKubernetesVersion)
		return
	}
	var names []string
	for _, each := range supportedMinors {
		names = append(names, each.Name)
	}
	found, supported := FindMinor(value)
	if !supported {
		p.add(field, fmt.Sprintf("the settings are proven for %s, not for %s", strings.Join(names, ", "), name),
			"use a patch release of one of "+strings.Join(names, ", "))
		return
	}
	last, err := time.Parse(time.DateOnly, found.EndOfLife)
	if err == nil && !now.Before(last.AddDate(0, 0, 1)) && !excepted(exceptions, controlSupported) {
		p.add(field, fmt.Sprintf("%s has had no security fixes since %s, against control %s", name, found.EndOfLife, controlSupported),
			"use a newer minor; or accept the risk with an entry in exceptions: control "+controlSupported+", a reason and an expiry")
	}
}

// oldestKubelet is how many minors a kubelet or kube-proxy may be behind the API
// server. https://kubernetes.io/releases/version-skew-policy/
const oldestKubelet = 3

// CheckNodeSkew reports a node whose kubelet or kube-proxy may not work with the
// API server: one that is newer, or more than three minors older. Both are full
// versions; field names the node's. The error is a [FieldError].
func CheckNodeSkew(field, node, apiServer string) error {
	ours, theirs := minorNumber(minor(node)), minorNumber(minor(apiServer))
	var p problems
	switch {
	case ours == 0 || theirs == 0:
		p.add(field, fmt.Sprintf("%q and %q cannot be compared", node, apiServer), "write full versions such as "+DefaultKubernetesVersion)
	case ours > theirs:
		p.add(field, fmt.Sprintf("%s is newer than the API server, %s", node, apiServer), "upgrade the control plane first")
	case theirs-ours > oldestKubelet:
		p.add(field, fmt.Sprintf("%s is more than %d minors older than the API server, %s", node, oldestKubelet, apiServer), "upgrade the nodes first")
	}
	return p.join()
}
