package flatcar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// problems collects everything that is wrong.
type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
}

// weakens reports a change that an exception lifts.
func (p *problems) weakens(s Spec, field, problem, control string) {
	if !s.excepted(control) {
		p.add(field, problem+" ("+control+")",
			fmt.Sprintf("leave the hardened value, or accept the risk with an entry in exceptions: control %s, a reason and an expiry", control))
	}
}

// Validate reports everything that is wrong with the specification, as joined
// [hostconfig.FieldError] values. The time decides whether exceptions still
// hold. Defaults are filled in first.
func (s Spec) Validate(now time.Time) error {
	_, err := s.WithDefaults().check(now)
	return err
}

// check validates a specification with its defaults, and gives the files that it
// had to render for that.
func (s Spec) check(now time.Time) ([]hostconfig.File, error) {
	var p problems
	oneOf := func(field, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			p.add(field, fmt.Sprintf("%q is not supported", value), "write one of "+strings.Join(allowed, ", "))
		}
	}
	oneOf("node.os", string(s.Node.OS), string(hostconfig.OSFlatcar))
	oneOf("butaneVersion", string(s.ButaneVersion), string(Butane11), string(Butane10))
	oneOf("kubernetes.architecture", s.Kubernetes.Architecture, ArchitectureX86, ArchitectureARM)
	if s.BridgeNetwork && s.Node.PodCIDR == "" {
		p.add("node.podCIDR", "is empty", "write this node's own range, or leave bridgeNetwork off")
	}
	spec, action := s.kubeadm()
	for _, each := range split(spec.Validate(action, now)) {
		// The node has the same name in both; the rest is kubeadm's own.
		if !strings.HasPrefix(each.Field, "node.") {
			each.Field = "kubeadm." + each.Field
		}
		p = append(p, each)
	}
	p.kubernetes(s)
	p.fetched(s)
	p.disk(s)
	// What does not render has a problem that is reported above.
	own, err := s.ownFiles(now)
	if err != nil && len(p) == 0 {
		p = append(p, err)
	}
	p.files(s, own)
	p.services(s)
	p.kernel(s)
	slices.SortStableFunc(p, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return s.withAdditions(own), errors.Join(slices.CompactFunc(p, func(a, b error) bool { return a.Error() == b.Error() })...)
}

func (p *problems) kubernetes(s Spec) {
	if !imageSource(s.Kubernetes.Source, s.imageName()) {
		p.add("kubernetes.source", fmt.Sprintf("%q is not a URL of %s", s.Kubernetes.Source, s.imageName()),
			"write an https, s3 or gs URL that ends in that name")
	}
	if !hashPattern.MatchString(s.Kubernetes.Hash) {
		p.add("kubernetes.hash", "is missing or not a hash (M26)", "write sha512- and 128, or sha256- and 64 hexadecimal digits of the image")
	}
	if s.Kubeadm.Init && !s.controlPlane() {
		p.add("kubeadm.init", "a worker cannot create a cluster", "leave it off, or write the role control-plane")
	}
	if !plainPath.MatchString(s.Kubeadm.DiscoveryFile) {
		p.add("kubeadm.discoveryFile", fmt.Sprintf("%q needs quoting", s.Kubeadm.DiscoveryFile), "write letters, digits, and one of _.@+- between slashes")
	}
	encryption := s.Node.Paths.Encryption()
	fetched := slices.ContainsFunc(slices.Concat(s.Fetched, s.Parts.Fetched), func(f Fetched) bool { return f.Path == encryption })
	if s.controlPlane() && !fetched && !slices.ContainsFunc(slices.Concat(s.Kubeadm.Files, s.Parts.Files), func(f hostconfig.File) bool { return f.Path == encryption }) {
		p.add("kubeadm.files", "has no "+encryption+", without which the API server does not start (M18)",
			"add the file that hostconfig.Encryption.Configuration renders")
	}
	for i, file := range s.Kubeadm.Files {
		at := fmt.Sprintf("kubeadm.files[%d]", i)
		p.file(at, file)
		if !below(file.Path, "/etc/kubernetes") && !below(file.Path, "/var/lib/kubelet") {
			p.add(at+".path", file.Path+" lies outside of Kubernetes' directories", "write it in node.files")
		}
		if below(file.Path, staticPods) {
			// What lies there runs past admission, and kubeadm wants it empty (M22).
			p.add(at+".path", file.Path+" would be a static pod, which no policy judges (M22)", "create it through the API")
		}
	}
}

// staticPods is where kubeadm writes the control plane's own pods.
const staticPods = "/etc/kubernetes/manifests"

// dataPaths are where data of a node lies.
var dataPaths = []string{"/var/lib/etcd", "/var/lib/containerd", "/var/lib/kubelet", "/var/log", "/srv", "/mnt"}

func (p *problems) disk(s Spec) {
	if s.Node.DataDisk == nil {
		return
	}
	path := s.Node.DataDisk.Path
	if !slices.ContainsFunc(dataPaths, func(d string) bool { return below(path, d) }) {
		p.add("node.dataDisk.path", fmt.Sprintf("%q is no place for data", path), "write a path below "+strings.Join(dataPaths, ", "))
	}
}

// split takes joined errors apart.
func split(err error) []*hostconfig.FieldError {
	var found []*hostconfig.FieldError
	var one *hostconfig.FieldError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			found = append(found, split(each)...)
		}
	} else if errors.As(err, &one) {
		found = append(found, one)
	}
	return found
}

// kernel judges what the node does not: modules that this system cannot do
// without, and arguments, which only it has.
func (p *problems) kernel(s Spec) {
	for i, name := range s.Node.Modules.Deny {
		if slices.Contains(neededModules, hostconfig.ModuleName(name)) {
			p.add(fmt.Sprintf("node.modules.deny[%d]", i), name+" is needed", "leave it: without it the machine does not boot or the cluster does not run")
		}
	}
	for i, argument := range s.KernelArguments {
		at := fmt.Sprintf("kernelArguments[%d]", i)
		lock, locked := lockedArgument(argument)
		switch {
		case !argumentPattern.MatchString(argument):
			p.add(at, fmt.Sprintf("%q is not one argument", argument), "write name or name=value")
		case locked && !slices.Contains(hardenedArguments, argument):
			p.weakens(s, at, argument+" could undo a control", partOf("kernel-argument", lock))
		}
	}
	for i, rule := range s.AuditRules {
		if !auditRulePattern.MatchString(rule) {
			p.add(fmt.Sprintf("auditRules[%d]", i), fmt.Sprintf("%q does not only record (%s)", rule, controlAudit),
				"write -w /path -p wa -k key, or -a always,exit with -F, -S and -k")
		}
	}
}
