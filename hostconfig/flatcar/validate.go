package flatcar

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

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

// nested takes the problems of a part, with the part's name before their fields.
func (p *problems) nested(prefix string, err error) {
	var one *hostconfig.FieldError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			p.nested(prefix, each)
		}
	} else if errors.As(err, &one) {
		field := prefix + "." + one.Field
		// The exceptions of the machine are checked with the node's.
		if strings.HasPrefix(one.Field, "exceptions") {
			field = one.Field
		}
		p.add(field, one.Problem, one.Remedy)
	} else if err != nil {
		p.add(prefix, err.Error(), "see "+prefix)
	}
}

// Validate reports everything that is wrong with the specification, as joined
// [hostconfig.FieldError] values. The time decides whether exceptions still
// hold. Defaults are filled in first.
func (s Spec) Validate(now time.Time) error {
	if len(s.Node.Exceptions) > 0 && !slices.Equal(s.Node.Exceptions, s.Exceptions) {
		return &hostconfig.FieldError{Field: "node.exceptions", Problem: "is not the machine's list", Remedy: "write them in exceptions"}
	}
	s = s.WithDefaults()
	var p problems
	oneOf := func(field, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			p.add(field, fmt.Sprintf("%q is not supported", value), "write one of "+strings.Join(allowed, ", "))
		}
	}
	oneOf("role", string(s.Role), string(hostconfig.RoleControlPlane), string(hostconfig.RoleWorker))
	oneOf("platform", string(s.Platform), string(PlatformAWS), string(PlatformGCP), string(PlatformMetal))
	oneOf("butaneVersion", string(s.ButaneVersion), string(Butane11), string(Butane10))
	oneOf("updates", string(s.Updates), string(UpdateReplace), string(UpdateInPlace))
	oneOf("kubernetes.architecture", s.Kubernetes.Architecture, ArchitectureX86, ArchitectureARM)
	if s.Node.Paths.Root != "" {
		p.add("node.paths.root", "is set", "leave it empty: a machine has the standard paths")
	}
	if s.BridgeNetwork && s.Node.PodCIDR == "" {
		p.add("node.podCIDR", "is empty", "write this node's own range, or leave bridgeNetwork off")
	}
	p.nested("node", s.node().Validate(now))
	p.nested("firewall", s.Firewall.Validate())
	p.kubernetes(s)
	p.disk(s)
	p.timeServers(s)
	p.files(s)
	p.services(s)
	p.kernel(s)
	slices.SortStableFunc(p, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(slices.CompactFunc(p, func(a, b error) bool { return a.Error() == b.Error() })...)
}

func (p *problems) kubernetes(s Spec) {
	if !imageSource(s.Kubernetes.Source, s.imageName()) {
		p.add("kubernetes.source", fmt.Sprintf("%q is not a URL of %s", s.Kubernetes.Source, s.imageName()),
			"write an https, s3 or gs URL that ends in that name")
	}
	if !hashPattern.MatchString(s.Kubernetes.Hash) {
		p.add("kubernetes.hash", "is missing or not a hash (M26)", "write sha512- and 128, or sha256- and 64 hexadecimal digits of the image")
	}
	if s.Kubeadm.Init && s.Role != hostconfig.RoleControlPlane {
		p.add("kubeadm.init", "a worker cannot create a cluster", "leave it off, or write the role control-plane")
	}
	want := "kind: JoinConfiguration"
	if s.Kubeadm.Init {
		want = "kind: InitConfiguration"
	}
	if !slices.Contains(strings.Split(s.Kubeadm.Configuration, "\n"), want) {
		p.add("kubeadm.configuration", "has no line "+want, "write the kubeadm document of this machine")
	}
	for i, file := range s.Kubeadm.Files {
		at := fmt.Sprintf("kubeadm.files[%d]", i)
		p.file(at, file)
		if !below(file.Path, "/etc/kubernetes") && !below(file.Path, "/var/lib/kubelet") {
			p.add(at+".path", file.Path+" lies outside of Kubernetes' directories", "write it in files")
		}
	}
}

var (
	devicePattern = regexp.MustCompile(`^/dev/[A-Za-z0-9_./:-]+$`)
	dataPaths     = []string{"/var/lib/etcd", "/var/lib/containerd", "/var/lib/kubelet", "/var/log", "/srv", "/mnt"}
)

func (p *problems) disk(s Spec) {
	if s.DataDisk == nil {
		return
	}
	if !devicePattern.MatchString(s.DataDisk.Device) || !cleanPath(s.DataDisk.Device) {
		p.add("dataDisk.device", fmt.Sprintf("%q is not a device", s.DataDisk.Device), "write a path such as /dev/disk/by-id/name")
	}
	path := s.DataDisk.Path
	if !cleanPath(path) || !slices.ContainsFunc(dataPaths, func(d string) bool { return below(path, d) }) || !plainPath.MatchString(path) {
		p.add("dataDisk.path", fmt.Sprintf("%q is no place for data", path), "write a path below "+strings.Join(dataPaths, ", "))
	}
	for i, register := range s.DataDisk.PCRs {
		if register < 0 || register > 23 {
			p.add(fmt.Sprintf("dataDisk.pcrs[%d]", i), "is not a register", "write 0 to 23")
		}
	}
}

func (p *problems) timeServers(s Spec) {
	if len(s.TimeServers) == 0 {
		p.add("timeServers", "is empty", "write at least one server: certificates and logs depend on the time")
	}
	for i, name := range s.TimeServers {
		if len(validation.IsDNS1123Subdomain(strings.ToLower(name))) > 0 {
			p.add(fmt.Sprintf("timeServers[%d]", i), fmt.Sprintf("%q is neither a name nor an IPv4 address", name), "write a server such as time.example.org")
		}
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

func (p *problems) kernel(s Spec) {
	for _, name := range slices.Sorted(maps.Keys(s.Sysctls)) {
		at, value := fmt.Sprintf("sysctls[%q]", name), s.Sysctls[name]
		if !sysctlPattern.MatchString(name) || value == "" || !oneLine(value) {
			p.add(at, "is not a kernel setting", "write a dotted name and a value of one line")
		}
		if want, locked := lockedValue(name); locked && value != want {
			p.weakens(s, at, "must be "+want, controlHost)
		}
	}
	for i, name := range s.LoadModules {
		at := fmt.Sprintf("loadModules[%d]", i)
		p.module(at, name)
		if slices.Contains(deniedModules, moduleName(name)) {
			p.weakens(s, at, name+" is denied", controlHost)
		}
	}
	for i, name := range s.DenyModules {
		at := fmt.Sprintf("denyModules[%d]", i)
		p.module(at, name)
		if slices.Contains(neededModules, moduleName(name)) || slices.Contains(moduleNames(s.LoadModules), moduleName(name)) {
			p.add(at, name+" is needed", "leave it: without it the machine does not boot or the cluster does not run")
		}
	}
	for i, argument := range s.KernelArguments {
		at := fmt.Sprintf("kernelArguments[%d]", i)
		if !argumentPattern.MatchString(argument) {
			p.add(at, fmt.Sprintf("%q is not one argument", argument), "write name or name=value")
		} else if lockedArgument(argument) && !slices.Contains(hardenedArguments, argument) {
			p.weakens(s, at, argument+" could undo a control", controlHost)
		}
	}
	for i, rule := range s.AuditRules {
		if !auditRulePattern.MatchString(rule) {
			p.add(fmt.Sprintf("auditRules[%d]", i), fmt.Sprintf("%q does not only record (%s)", rule, controlAudit),
				"write -w /path -p wa -k key, or -a always,exit with -F, -S and -k")
		}
	}
}

func (p *problems) module(field, name string) {
	if !modulePattern.MatchString(moduleName(name)) {
		p.add(field, fmt.Sprintf("%q is not the name of a module", name), "write a name such as usb_storage")
	}
}
