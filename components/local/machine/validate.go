package machine

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// label is a name that may be a host name, a file name and a part of a unit's
// name at once (RFC 1123, section 2.1).
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// reservedLogs are the logs that the machine itself writes into LogDir.
var reservedLogs = []string{"guard", "machine"}

// hostOwned are the directories of an isolated machine that are the host's, so
// that nothing can be made in them.
var hostOwned = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sys", "/dev"}

// stopSignals are the signals that may ask a service to end.
var stopSignals = map[string]syscall.Signal{
	"": syscall.SIGTERM, "SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGQUIT": syscall.SIGQUIT,
}

// Validate reports everything that is wrong with the Spec at once, each with
// the path of its field. It looks at the Spec only: Preflight looks at the host.
func (s Spec) Validate() error {
	v := validation{}
	v.check(label.MatchString(s.Environment) && len(s.Environment) <= 32, "environment", "%q must be lower case letters, digits and dashes, at most 32", s.Environment)
	// The kernel's limit for a host name is 64, RFC 1123's for a label 63.
	v.check(label.MatchString(s.Name) && len(s.Name) <= 63, "name", "%q must be lower case letters, digits and dashes, at most 63", s.Name)
	v.absolute("dir", s.Dir)
	v.absolute("logDir", s.LogDir)
	for name, value := range s.KernelSettings {
		v.err("kernelSettings."+name, checkSetting(name, value))
	}
	for i, port := range s.Ports {
		_, _, err := net.SplitHostPort(port)
		v.err(fmt.Sprintf("ports[%d]", i), err)
	}
	if s.Isolated {
		s.validateIsolated(&v)
	} else {
		v.check(s.NetworkNamespace == "" && len(s.Binds) == 0 && len(s.Users) == 0 && s.CgroupRoot == "", "isolated",
			"a machine that is not isolated has no networkNamespace, binds, users or cgroupRoot: remove them or set isolated")
	}
	s.validateServices(&v)
	return v.join()
}

func (s Spec) validateIsolated(v *validation) {
	v.check(s.NetworkNamespace != "" && !strings.ContainsAny(s.NetworkNamespace, "/ "), "networkNamespace", "%q must be the name of a namespace in /run/netns", s.NetworkNamespace)
	v.check(filepath.IsAbs(s.CgroupRoot) && filepath.Clean(s.CgroupRoot) == s.CgroupRoot && strings.Count(s.CgroupRoot, "/") >= 2, "cgroupRoot",
		"%q must be a clean absolute path of at least two levels such as /redoubt/local/worker-1: the whole of it is removed with the machine", s.CgroupRoot)
	for i, bind := range s.Binds {
		field := fmt.Sprintf("binds[%d]", i)
		v.absolute(field+".source", bind.Source)
		v.absolute(field+".target", bind.Target)
		v.check(bind.Target != "/", field+".target", "the root of a machine is its own: name a directory in it")
		for _, owned := range hostOwned {
			v.check(!within(bind.Target, owned), field+".target", "%s is the host's %s, in which a machine makes nothing: choose a target in /opt, /etc or /var", bind.Target, owned)
		}
	}
	seen := map[string]bool{"root": true, "nobody": true}
	numbers := map[int]string{0: "root", nobodyID: "nobody"}
	for i, user := range s.Users {
		field := fmt.Sprintf("users[%d]", i)
		v.check(label.MatchString(user.Name) && !seen[user.Name], field+".name", "%q must be a name of its own, in lower case", user.Name)
		v.check(user.ID > 0 && numbers[user.ID] == "", field+".id", "%d must be positive and of no other user %s", user.ID, numbers[user.ID])
		seen[user.Name], numbers[user.ID] = true, user.Name
	}
	for name, address := range s.Hosts {
		v.check(net.ParseIP(address) != nil && !strings.ContainsAny(name, " \t\n"), "hosts."+name, "%q must be an IP address", address)
	}
	for i, service := range s.Services {
		v.check(service.User == "" || seen[service.User], fmt.Sprintf("services[%d].user", i), "%q is not one of users", service.User)
	}
}

// capability is a name of capabilities(7) as setpriv(1) writes it. Those are left
// out with which a service could take any other.
var capability = regexp.MustCompile(`^(net_admin|net_raw|net_bind_service|chown|kill)$`)

func (s Spec) validateServices(v *validation) {
	v.check(len(s.Services) > 0, "services", "a machine runs at least one service")
	known := map[string]int{}
	for i, service := range s.Services {
		field := fmt.Sprintf("services[%d]", i)
		_, double := known[service.Name]
		v.check(label.MatchString(service.Name) && !double, field+".name", "%q must be a name of its own, in lower case letters, digits and dashes", service.Name)
		v.check(!slices.Contains(reservedLogs, service.Name), field+".name", "%q is the name of the machine's own log: choose another", service.Name)
		known[service.Name] = i
		v.check(len(service.Command) > 0 && filepath.IsAbs(service.Command[0]), field+".command", "the program must be an absolute path")
		for _, variable := range service.Environment {
			v.check(strings.Index(variable, "=") > 0, field+".environment", "%q must be NAME=value", variable)
		}
		_, ok := stopSignals[service.StopSignal]
		v.check(ok, field+".stopSignal", "%q must be SIGTERM, SIGINT or SIGQUIT", service.StopSignal)
		v.check(service.Grace >= 0, field+".grace", "must not be negative")
		if !s.Isolated {
			v.check(service.User == "" && !service.DropCapabilities, field, "user and dropCapabilities need an isolated machine")
		}
		v.check(len(service.KeepCapabilities) == 0 || service.DropCapabilities && service.User == "", field+".keepCapabilities", "needs dropCapabilities, and no user: only root keeps capabilities")
		for _, name := range service.KeepCapabilities {
			v.check(capability.MatchString(name), field+".keepCapabilities", "%q must be a name of capabilities(7) such as net_admin", name)
		}
		if service.Ready != nil {
			v.err(field+".ready", service.Ready.validate())
		}
	}
	for i, service := range s.Services {
		for _, name := range service.After {
			_, ok := known[name]
			v.check(ok, fmt.Sprintf("services[%d].after", i), "%q is not a service of this machine", name)
		}
	}
	if cycle := cycleIn(s.Services); cycle != nil {
		v.check(false, "services", "each waits for the next, and none can start: %s", strings.Join(cycle, " after "))
	}
}

func (p Probe) validate() error {
	set := 0
	for _, kind := range []string{p.TCP, p.HTTPS, p.File} {
		if kind != "" {
			set++
		}
	}
	if set != 1 {
		return errors.New("exactly one of tcp, https and file must be set")
	}
	if p.TCP != "" {
		if _, _, err := net.SplitHostPort(p.TCP); err != nil {
			return err
		}
	}
	if p.HTTPS != "" {
		if u, err := url.Parse(p.HTTPS); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return fmt.Errorf("%q must be a URL, https or http", p.HTTPS)
		}
	}
	if (p.CertFile == "") != (p.KeyFile == "") {
		return errors.New("certFile and keyFile go together")
	}
	return nil
}

// cycleIn finds services that wait for each other; nil when there are none.
func cycleIn(services []Service) []string {
	after := map[string][]string{}
	for _, service := range services {
		after[service.Name] = service.After
	}
	done := map[string]bool{}
	var visit func(name string, path []string) []string
	visit = func(name string, path []string) []string {
		if i := slices.Index(path, name); i >= 0 {
			return append(slices.Clone(path[i:]), name)
		}
		if done[name] {
			return nil
		}
		for _, next := range after[name] {
			if cycle := visit(next, append(path, name)); cycle != nil {
				return cycle
			}
		}
		done[name] = true
		return nil
	}
	for _, service := range services {
		if cycle := visit(service.Name, nil); cycle != nil {
			return cycle
		}
	}
	return nil
}

// within tells whether a clean path is a directory or lies below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// validation collects what is wrong.
type validation struct{ errs []error }

func (v *validation) check(ok bool, field, format string, args ...any) {
	if !ok {
		v.errs = append(v.errs, fmt.Errorf("%s: %s", field, strings.TrimSpace(fmt.Sprintf(format, args...))))
	}
}

func (v *validation) err(field string, err error) {
	if err != nil {
		v.errs = append(v.errs, fmt.Errorf("%s: %w", field, err))
	}
}

func (v *validation) absolute(field, path string) {
	v.check(filepath.IsAbs(path) && filepath.Clean(path) == path && !strings.ContainsAny(path, "\n\x00"), field, "%q must be a clean absolute path", path)
}

func (v *validation) join() error {
	if len(v.errs) == 0 {
		return nil
	}
	return fmt.Errorf("the machine's specification is not usable:\n%w", errors.Join(v.errs...))
}
