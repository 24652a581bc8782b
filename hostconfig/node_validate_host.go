package hostconfig

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

// evictionSignals are those of the kubelet's hard thresholds:
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
var evictionSignals = []string{
	"memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree",
	"containerfs.available", "containerfs.inodesFree", "pid.available",
}

func (p *problems) nodeKubelet(k Kubelet) {
	for _, list := range []struct {
		field  string
		values map[string]string
	}{{"kubelet.kubeReserved", k.KubeReserved}, {"kubelet.systemReserved", k.SystemReserved}} {
		for _, name := range slices.Sorted(maps.Keys(list.values)) {
			at := fmt.Sprintf("%s[%q]", list.field, name)
			if !slices.Contains([]string{"cpu", "memory", "ephemeral-storage", "pid"}, name) {
				p.add(at, "is not a resource that can be reserved", "write cpu, memory, ephemeral-storage or pid")
			}
			p.quantity(at, list.values[name])
		}
	}
	for _, signal := range slices.Sorted(maps.Keys(k.EvictionHard)) {
		at, value := fmt.Sprintf("kubelet.evictionHard[%q]", signal), k.EvictionHard[signal]
		if !slices.Contains(evictionSignals, signal) {
			p.add(at, "is not a signal of the kubelet", "write one of "+strings.Join(evictionSignals, ", "))
		}
		switch {
		case isThreshold(value):
		case strings.HasSuffix(value, "%"):
			p.add(at, quote(value)+" is not a share", "write more than 0% and less than 100%")
		default:
			p.add(at, quote(value)+" is not a quantity above nothing", "write a number such as 100Mi, or a share such as 10%")
		}
	}
	if k.MaxPods < 0 || k.MaxPods > 1000 {
		p.add("kubelet.maxPods", fmt.Sprintf("%d is out of range", k.MaxPods), "write 1 to 1000, or 0 for the default")
	}
	own := k
	own.Extra = nil
	for name := range own.fields() {
		if _, twice := k.Extra[name]; twice {
			p.add(fmt.Sprintf("kubelet.extra[%q]", name), "is decided by the field kubelet."+name, "set kubelet."+name+" instead")
		}
	}
}

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// bottlerocketRegistries refuses what Bottlerocket's settings cannot say: left
// out, it would seem to hold.
func (p *problems) bottlerocketRegistries(r Registries) {
	const remedy = "leave it out, or write it for flatcar"
	for i, registry := range r.Allowed {
		own := registry.MirrorsOnly || registry.RegistryTrust != (RegistryTrust{})
		for _, mirror := range registry.Mirrors {
			own = own || mirror.OverridePath || mirror.RegistryTrust != (RegistryTrust{})
		}
		if own {
			p.add(fmt.Sprintf("registries.allowed[%d]", i), "has more than names and URLs, which has no effect on bottlerocket", remedy)
		}
	}
	for i, provider := range r.CredentialProviders {
		if len(provider.Arguments) > 0 || provider.ServiceAccountToken != nil {
			p.add(fmt.Sprintf("registries.credentialProviders[%d]", i), "has arguments or a token, which have no effect on bottlerocket", remedy)
		}
	}
}

func (p *problems) nodeRegistries(n Node) {
	p.checkRegistries("registries", Worker{Registries: n.Registries, Exceptions: n.Exceptions})
	if n.OS == OSBottlerocket {
		p.bottlerocketRegistries(n.Registries)
	}
	if v := n.ImageVerification; v != nil {
		if v.NotationTrustPolicy == "" && len(v.TrustedDigests) == 0 {
			p.add("imageVerification", "has no policy, so no image could be pulled", "write notationTrustPolicy or trustedDigests")
		}
		if v.NotationTrustPolicy != "" && !json.Valid([]byte(v.NotationTrustPolicy)) {
			p.add("imageVerification.notationTrustPolicy", "is not JSON", "write a trust policy of the Notary Project")
		}
		for i, text := range v.TrustedDigests {
			if !digestPattern.MatchString(text) {
				p.add(fmt.Sprintf("imageVerification.trustedDigests[%d]", i), quote(text)+" is not a digest", "write sha256: and 64 hexadecimal digits")
			}
		}
	}
}

// nodeHost judges what the operating system does besides Kubernetes.
func (p *problems) nodeHost(n Node) {
	for i, name := range n.TimeServers {
		if len(validation.IsDNS1123Subdomain(strings.ToLower(name))) > 0 {
			p.add(fmt.Sprintf("timeServers[%d]", i), quote(name)+" is neither a name nor an IPv4 address", "write a server such as time.example.org")
		}
	}
	// The firewall knows addresses. The platform's own server has a name on GCP
	// and is among the platform's ranges.
	if n.OS == OSFlatcar && len(n.Surroundings.TimeServers) == 0 && !slices.Equal(n.TimeServers, PlatformTimeServers(n.Platform)) &&
		len(addresses(n.TimeServers)) < len(n.TimeServers) {
		p.add("surroundings.timeServers", "is empty, so the host firewall drops what goes to time servers that have only a name (M04)",
			"write the ranges in which they are, or addresses in timeServers")
	}
	if n.Surroundings.Platform != "" && n.Surroundings.Platform != n.Platform {
		p.add("surroundings.platform", "is decided by the field platform", "leave it out")
	}
	if text := n.Proxy.HTTPS; text != "" {
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			p.add("proxy.https", "is not the URL of a proxy", "write http://host:port without user and password")
		}
	} else if len(n.Proxy.NoProxy) > 0 {
		p.add("proxy.noProxy", "has no effect without proxy.https", "set proxy.https, or leave it out")
	}
	if strategies := Strategies(n.OS); len(strategies) > 0 && !slices.Contains(strategies, n.Updates.Strategy) {
		p.add("updates.strategy", fmt.Sprintf("%q is no strategy of %s", n.Updates.Strategy, n.OS), fmt.Sprintf("write one of %v", strategies))
	}
	if n.Updates.Seed != nil && n.Updates.Strategy != UpdateInPlace {
		p.add("updates.seed", "has no effect with strategy "+quote(string(n.Updates.Strategy)), "write strategy in-place, or leave it out")
	}
	if (n.Updates.Version != "") != (n.Updates.Strategy == UpdateLocked) || n.Updates.Version == "latest" {
		p.add("updates.version", "goes with strategy locked, and names one version", "write strategy locked and a version such as v1.54.0")
	}
	if d := n.DataDisk; d != nil {
		if !strings.HasPrefix(d.Device, "/dev/") || !p.plainPath(d.Device) {
			p.add("dataDisk.device", quote(d.Device)+" is not a device", "write a path such as /dev/disk/by-id/name")
		}
		if !p.plainPath(d.Path) {
			p.add("dataDisk.path", quote(d.Path)+" is not a clean absolute path", "write a path such as /var/lib/containerd")
		}
		for i, register := range d.PCRs {
			if register < 0 || register > 23 {
				p.add(fmt.Sprintf("dataDisk.pcrs[%d]", i), "is not a register", "write 0 to 23")
			}
		}
	}
	if n.OS == OSFlatcar && n.Kubelet.CgroupDriver != "systemd" {
		p.add("kubelet.cgroupDriver", "is decided by os: systemd is PID 1 on Flatcar", "leave it empty")
	}
}

var plainPathPattern = regexp.MustCompile(`^(/[A-Za-z0-9_.:@+-]+)+$`)

func (*problems) plainPath(value string) bool {
	return plainPathPattern.MatchString(value) && path.Clean(value) == value
}

var ownerPattern = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// nodeAdditions wants plain files and units with a sandbox. Which paths and names
// the machine needs for itself the renderer of its operating system knows.
func (p *problems) nodeAdditions(n Node) {
	seen := map[string]bool{}
	for i, file := range n.Files {
		at := fmt.Sprintf("files[%d]", i)
		if !p.plainPath(file.Path) {
			p.add(at+".path", quote(file.Path)+" is not a clean absolute path", "write letters, digits, and one of _.:@+- between slashes")
		}
		if seen[file.Path] {
			p.add(at+".path", file.Path+" is listed twice", "write each file once")
		}
		seen[file.Path] = true
		if file.Mode == 0 || file.Mode > 0o777 || file.Mode&0o002 != 0 {
			p.add(at+".mode", fmt.Sprintf("%#o is not a mode", file.Mode), "write permission bits, without set-user-id and without write for everybody")
		}
		if file.Owner != "" && !ownerPattern.MatchString(file.Owner) {
			p.add(at+".owner", quote(file.Owner)+" is not a user name", "write a name such as root")
		}
		if !utf8.ValidString(file.Contents) || strings.ContainsRune(file.Contents, 0) {
			p.add(at+".contents", "is not text", "write UTF-8; fetch other files with a unit")
		}
	}
	for i, service := range n.Units {
		at := fmt.Sprintf("units[%d]", i)
		p.within(at, service.Validate())
		if seen[service.Name] {
			p.add(at+".name", service.Name+" is listed twice", "write each unit once")
		}
		seen[service.Name] = true
		if service.Sandbox.Open && !excepted(n.Exceptions, ControlUnits) {
			p.add(at+".sandbox.open", "the unit would have no sandbox, against control "+ControlUnits, acceptRisk(ControlUnits))
		}
	}
}
