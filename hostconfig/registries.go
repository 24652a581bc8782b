package hostconfig

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// controlRegistries is the control that the list of registries upholds: images
// come from where somebody chose, not from wherever a pod says.
const controlRegistries = "M26/unlisted-registries"

// DefaultRegistry is the one registry that a node may pull from when nobody
// names others: it serves the images of Kubernetes itself.
const DefaultRegistry = "registry.k8s.io"

// Registries says from where a node's images come (M26). A registry that is
// neither listed nor served by Endpoint is refused: containerd asks nobody for
// such an image. The zero value allows [DefaultRegistry] alone.
type Registries struct {
	// Endpoint is the URL of a mirror that serves every registry that Allowed does
	// not list, for example "http://127.0.0.1:5000"; plain http only on loopback.
	Endpoint string `json:"endpoint,omitempty"`
	// Allowed are the registries that images may name. The registry of the sandbox
	// image need not be among them.
	Allowed []Registry `json:"allowed,omitempty"`
	// AllowUnlisted lets images come from any registry that has a certificate of a
	// public authority. It needs an exception for M26/unlisted-registries.
	AllowUnlisted bool `json:"allowUnlisted,omitempty"`
	// TrustedCertificates are authorities in PEM that may sign the certificate of
	// every registry and mirror, besides those of the operating system.
	TrustedCertificates string `json:"trustedCertificates,omitempty"`
	// CredentialProviders give the kubelet short-lived registry credentials.
	CredentialProviders []CredentialProvider `json:"credentialProviders,omitempty"`
}

// Registry is a registry that images may name.
type Registry struct {
	// Name is the part of an image's name before the first slash: a host name or
	// an IPv4 address, with a port where images name one. For example "docker.io".
	Name string `json:"name"`
	// Mirrors are asked in this order, before the registry itself.
	Mirrors []Mirror `json:"mirrors,omitempty"`
	// MirrorsOnly says that the registry itself is never asked.
	MirrorsOnly bool `json:"mirrorsOnly,omitempty"`
	RegistryTrust
}

// Mirror serves a registry's images.
type Mirror struct {
	// URL is https://host[:port][/path]; plain http only on loopback.
	URL string `json:"url"`
	// OverridePath says that the URL's path is the root of the registry API, to
	// which containerd otherwise adds /v2.
	OverridePath bool `json:"overridePath,omitempty"`
	RegistryTrust
}

// RegistryTrust says how a node and a registry recognize each other.
type RegistryTrust struct {
	// CertificateAuthority is the authority of the registry's certificate in PEM,
	// trusted for this registry only, besides those of the operating system.
	CertificateAuthority string `json:"certificateAuthority,omitempty"`
	// ClientCertificate and ClientKey are absolute paths of PEM files with which
	// the node proves itself. The caller provides them: the package renders no keys.
	ClientCertificate string `json:"clientCertificate,omitempty"`
	ClientKey         string `json:"clientKey,omitempty"`
}

// registries gives what the node may pull from by name.
func (w Worker) registries() []Registry {
	allowed := slices.Clone(w.Registries.Allowed)
	if w.Registries.Endpoint != "" || w.unlistedAllowed() {
		return allowed
	}
	lists := func(name string) bool {
		return slices.ContainsFunc(allowed, func(r Registry) bool { return r.Name == name })
	}
	if len(allowed) == 0 {
		allowed = append(allowed, Registry{Name: DefaultRegistry})
	}
	// Without the sandbox image no pod starts.
	if name, _, found := strings.Cut(w.SandboxImage, "/"); found && registryName(name) == "" && !lists(name) {
		allowed = append(allowed, Registry{Name: name})
	}
	return allowed
}

// unlistedAllowed holds only with the exception that accepts it.
func (w Worker) unlistedAllowed() bool {
	return w.Registries.AllowUnlisted && excepted(w.Exceptions, controlRegistries)
}

// checkRegistries reports what is wrong. It needs the defaults filled in.
func (p *problems) checkRegistries(field string, w Worker) {
	r := w.Registries
	if r.Endpoint != "" {
		p.registryURL(field+".endpoint", r.Endpoint)
	}
	if r.AllowUnlisted && !excepted(w.Exceptions, controlRegistries) {
		p.add(field+".allowUnlisted", "is locked to false by control "+controlRegistries, acceptRisk(controlRegistries)+", or list the registries in allowed")
	}
	if r.AllowUnlisted && r.Endpoint != "" {
		p.add(field+".allowUnlisted", "contradicts the endpoint, which serves every registry that is not listed", "keep one of the two")
	}
	p.authorities(field+".trustedCertificates", r.TrustedCertificates)
	seen := map[string]bool{}
	for i, registry := range r.Allowed {
		at := fmt.Sprintf("%s.allowed[%d]", field, i)
		if problem := registryName(registry.Name); problem != "" {
			p.add(at+".name", quote(registry.Name)+" "+problem, "write a name such as docker.io or registry.example.org:5000")
		} else if seen[registry.Name] {
			p.add(at+".name", quote(registry.Name)+" is listed twice", "list it once, with all its mirrors")
		}
		seen[registry.Name] = true
		p.registryTrust(at, registry.RegistryTrust)
		if registry.MirrorsOnly && len(registry.Mirrors) == 0 {
			p.add(at+".mirrorsOnly", "leaves nobody to ask", "list a mirror, or leave the registry out")
		}
		p.mirrors(at+".mirrors", registry.Mirrors)
		if !registry.MirrorsOnly && slices.ContainsFunc(registry.Mirrors, func(m Mirror) bool { return m.URL == registry.server() }) {
			p.add(at+".mirrors", "lists the registry itself", "leave it out: it is asked after its mirrors")
		}
	}
	p.credentialProviders(field+".credentialProviders", r.CredentialProviders)
}

func (p *problems) mirrors(field string, mirrors []Mirror) {
	seen := map[string]bool{}
	for i, mirror := range mirrors {
		at := fmt.Sprintf("%s[%d]", field, i)
		p.registryURL(at+".url", mirror.URL)
		if seen[mirror.URL] {
			p.add(at+".url", quote(mirror.URL)+" is listed twice", "list each mirror once")
		}
		seen[mirror.URL] = true
		p.registryTrust(at, mirror.RegistryTrust)
		if strings.HasPrefix(mirror.URL, "http://") && mirror.RegistryTrust != (RegistryTrust{}) {
			// containerd would try TLS and fall back to plaintext when it fails.
			p.add(at+".url", "has no TLS that a certificate could serve", "write https, or leave the certificates out")
		}
	}
}

func (p *problems) registryTrust(field string, trust RegistryTrust) {
	p.authorities(field+".certificateAuthority", trust.CertificateAuthority)
	if (trust.ClientCertificate == "") != (trust.ClientKey == "") {
		p.add(field+".clientKey", "a certificate and its key come together", "write both paths or neither")
	}
	for _, each := range []struct{ name, value string }{{".clientCertificate", trust.ClientCertificate}, {".clientKey", trust.ClientKey}} {
		if name, value := each.name, each.value; value != "" && !filePattern.MatchString(value) || path.Clean(value) != value && value != "" {
			p.add(field+name, quote(value)+" is not a clean absolute path", "write the path of a PEM file on the node")
		}
	}
}

// filePattern is a path that needs no quoting anywhere.
var filePattern = regexp.MustCompile(`^/[A-Za-z0-9_./:@+-]*[A-Za-z0-9_]$`)

// registryName says what is wrong with a name before the first slash of an
// image's name. containerd uses it as the name of a directory.
func registryName(name string) string {
	host, port, hasPort := strings.Cut(name, ":")
	if hasPort && !isPort(port) {
		return "has no port between 1 and 65535"
	}
	address, err := netip.ParseAddr(host)
	switch {
	case err == nil && address.Is4():
		return ""
	case name == "_default":
		return "stands for every registry: that is the field endpoint"
	case name == "index.docker.io":
		return "is what images call docker.io"
	case strings.HasPrefix(name, "["):
		return "is an IPv6 address, which the host firewall drops"
	case len(validation.IsDNS1123Subdomain(host)) > 0 || !strings.ContainsAny(name, ".:") && name != "localhost":
		// A first part without dot and port is a path on docker.io, not a registry.
		return "is not a registry"
	case strings.Trim(host[strings.LastIndex(host, ".")+1:], "0123456789") == "":
		return "is neither a host name nor an IPv4 address"
	}
	return ""
}

// isPort wants the shortest form, which is how images write it.
func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 1 && n <= 65535 && strconv.Itoa(n) == text
}

// urlPathPattern is the path of a mirror: what follows needs no escaping.
var urlPathPattern = regexp.MustCompile(`^(/[A-Za-z0-9_.~-]+)*/?$`)

// registryURL wants the URL of a registry, in plaintext only on the node itself.
func (p *problems) registryURL(field, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || !urlPathPattern.MatchString(u.Path) ||
		u.Scheme+"://"+u.Host+u.Path != value || strings.Contains(u.Path+"/", "/./") || strings.Contains(u.Path+"/", "/../") || registryName(u.Host) != "" && len(validation.IsDNS1123Subdomain(u.Host)) > 0 {
		p.add(field, quote(value)+" is not the URL of a registry", "write https://host[:port][/path] or, on the node itself, http://127.0.0.1:port")
		return
	}
	address, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && (err != nil || !address.IsLoopback()) {
		p.add(field, value+" carries images in plaintext (M26)", "use https, or an address of 127.0.0.0/8 with http")
	}
}
