package hostconfig

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
)

// Worker describes one worker machine. The zero value of a field means its
// hardened default, unless the field says that it is required.
type Worker struct {
	// ClusterName and Name are required DNS labels; Name is the node's name.
	ClusterName string `json:"clusterName"`
	Name        string `json:"name"`
	// KubernetesVersion is the kubelet's version; DefaultKubernetesVersion by default.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// NodeIP is the node's IPv4 address, and the only one on which the kubelet
	// listens. Required.
	NodeIP string `json:"nodeIP"`
	// APIServer is the URL of the API server, https only. Required.
	APIServer string `json:"apiServer"`
	// CACertificate is the cluster authority's certificate in PEM. Empty means
	// that the caller writes [Paths.ClusterCA] itself, because the authority is
	// not known when the rest is rendered.
	CACertificate string `json:"caCertificate"`
	// PodCIDR is this node's own range, ClusterPodCIDR the whole cluster's. Required.
	PodCIDR        string `json:"podCIDR"`
	ClusterPodCIDR string `json:"clusterPodCIDR"`
	// ClusterDNS are the addresses of the cluster's DNS service.
	ClusterDNS []string `json:"clusterDNS,omitempty"`
	// ClusterDomain is DefaultClusterDomain by default.
	ClusterDomain string `json:"clusterDomain,omitempty"`
	// ResolvConf is the resolver file that pods without cluster DNS inherit.
	// Empty means none, for a machine that has no resolver.
	ResolvConf string `json:"resolvConf,omitempty"`
	// Labels must not be in the namespaces that NodeRestriction reserves.
	Labels map[string]string `json:"labels,omitempty"`
	// Taints have the form key[=value]:Effect.
	Taints []string `json:"taints,omitempty"`
	Paths  Paths    `json:"paths"`
	Ports  Ports    `json:"ports"`
	// CgroupRoot is the cgroup below which the kubelet makes pods; "/" by default.
	CgroupRoot string `json:"cgroupRoot,omitempty"`
	// CgroupDriver is "cgroupfs" (the default) or, where systemd is the machine's
	// PID 1, "systemd". It holds for the kubelet and containerd alike.
	CgroupDriver string `json:"cgroupDriver,omitempty"`
	// CgroupV1 says that the machine has cgroup v1 only.
	CgroupV1 bool `json:"cgroupV1,omitempty"`
	// Swap says that the machine has swap. The kubelet then starts nevertheless,
	// and pods still use none of it.
	Swap bool `json:"swap,omitempty"`
	// RestrictOOMScoreAdj is needed where the machine withholds CAP_SYS_RESOURCE.
	RestrictOOMScoreAdj bool `json:"restrictOOMScoreAdj,omitempty"`
	// SharedDisk says that the machine's file systems are its host's, which others
	// fill too. Pods are then evicted, and images collected, by what is left and not
	// by shares.
	SharedDisk bool `json:"sharedDisk,omitempty"`
	// SandboxImage is by default the one of the Kubernetes minor, see [SandboxImage].
	SandboxImage string `json:"sandboxImage,omitempty"`
	// ContainerdVersion is the line of containerd that the machine runs;
	// Containerd16 by default.
	ContainerdVersion ContainerdVersion `json:"containerdVersion,omitempty"`
	// Registries says from where images come; DefaultRegistry alone by default.
	Registries Registries `json:"registries"`
	// RuntimeClasses are the sandboxed runtimes that the machine's image has, of
	// those that [RuntimeClasses] names.
	RuntimeClasses []string `json:"runtimeClasses,omitempty"`
	// GVisorPlatform is "systrap" (the default) or, with virtualization, "kvm".
	GVisorPlatform string `json:"gVisorPlatform,omitempty"`
	// KataConfig is the path of Kata's configuration in the machine's image;
	// DefaultKataConfig by default.
	KataConfig string `json:"kataConfig,omitempty"`
	// SELinux says that the machine's kernel and policy label containers.
	SELinux bool `json:"selinux,omitempty"`
	// ExtraContainerd changes keys of containerd's configuration. Each has a merge
	// rule and a name, see [ContainerdRules].
	ExtraContainerd map[string]any `json:"extraContainerd,omitempty"`
	// ExtraKubelet changes fields of the KubeletConfiguration, by JSON name.
	// Each field has a merge rule, see [KubeletRules].
	ExtraKubelet map[string]any `json:"extraKubelet,omitempty"`
	// Exceptions accept the risk of changing a locked setting.
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (w Worker) WithDefaults() Worker {
	setDefault(&w.KubernetesVersion, DefaultKubernetesVersion)
	setDefault(&w.ClusterDomain, DefaultClusterDomain)
	setDefault(&w.CgroupRoot, "/")
	setDefault(&w.CgroupDriver, "cgroupfs")
	setDefault(&w.SandboxImage, SandboxImage(w.KubernetesVersion))
	if w.ContainerdVersion == "" {
		w.ContainerdVersion = Containerd16
	}
	setDefault(&w.GVisorPlatform, gVisorPlatforms[0])
	setDefault(&w.KataConfig, DefaultKataConfig)
	w.Ports = w.Ports.WithDefaults()
	return w
}

// Validate reports everything that is wrong with the specification, as joined
// [FieldError] values. The time decides whether exceptions still hold.
// Defaults are filled in first.
func (w Worker) Validate(now time.Time) error {
	w = w.WithDefaults()
	var p problems
	p.dnsLabel("clusterName", w.ClusterName)
	p.dnsLabel("name", w.Name)
	p.version("kubernetesVersion", w.KubernetesVersion, w.Exceptions, now)
	p.paths("paths", w.Paths)
	p.ports("ports", w.Ports)
	p.httpsURL("apiServer", w.APIServer)
	if w.CACertificate != "" {
		p.caCertificate("caCertificate", w.CACertificate)
	}
	p.workerAddresses(w)
	p.domain("clusterDomain", w.ClusterDomain)
	p.nodeLabels("labels", w.Labels)
	for i, taint := range w.Taints {
		if _, err := parseTaint(taint); err != nil {
			p.add(fmt.Sprintf("taints[%d]", i), err.Error(), "write key=value:NoSchedule, or key:NoExecute")
		}
	}
	if w.ResolvConf != "" && (!path.IsAbs(w.ResolvConf) || !plainText(w.ResolvConf)) {
		p.add("resolvConf", quote(w.ResolvConf)+" is not an absolute path", "write a path, or nothing for none")
	}
	if !cgroupPattern.MatchString(w.CgroupRoot) || path.Clean(w.CgroupRoot) != w.CgroupRoot {
		p.add("cgroupRoot", quote(w.CgroupRoot)+" is not a clean cgroup path", "write a path such as /redoubt/worker-1")
	}
	if w.CgroupDriver != "cgroupfs" && w.CgroupDriver != "systemd" {
		p.add("cgroupDriver", quote(w.CgroupDriver)+" is not a driver", "write cgroupfs or systemd")
	}
	p.image("sandboxImage", w.SandboxImage)
	p.checkRegistries("registries", w)
	p.runtimeClasses(w)
	if !slices.Contains(containerdVersions, w.ContainerdVersion) {
		p.add("containerdVersion", quote(string(w.ContainerdVersion))+" is not a supported line of containerd", "write 1.6, 1.7 or 2")
	}
	p.exceptions("exceptions", w.Exceptions, now)
	for _, merge := range []func(Worker) []error{
		func(w Worker) []error { _, refused := w.mergeKubelet(); return refused },
		func(w Worker) []error { _, refused := w.mergeContainerd(); return refused },
	} {
		p = append(p, merge(w)...)
	}
	return p.join()
}

var cgroupPattern = regexp.MustCompile(`^/[A-Za-z0-9_./-]*$`)

func (p *problems) workerAddresses(w Worker) {
	node, ok := p.ipv4("nodeIP", w.NodeIP)
	if ok && (node.IsLoopback() || node.IsUnspecified() || node.IsMulticast()) {
		p.add("nodeIP", w.NodeIP+" is no address at which others reach the node", "write the node's own address")
	}
	own, _ := p.cidr("podCIDR", w.PodCIDR)
	all, _ := p.cidr("clusterPodCIDR", w.ClusterPodCIDR)
	if own.IsValid() && all.IsValid() && (!all.Contains(own.Addr()) || own.Bits() < all.Bits()) {
		p.add("podCIDR", fmt.Sprintf("%s lies outside clusterPodCIDR %s", own, all), "write a part of the cluster's range")
	}
	if own.IsValid() && own.Bits() > 29 {
		p.add("podCIDR", own.String()+" has no room for pods", "write a /29 or larger")
	}
	if ok && all.IsValid() && all.Contains(node) {
		p.add("nodeIP", w.NodeIP+" lies in clusterPodCIDR", "choose ranges that are apart")
	}
	for i, address := range w.ClusterDNS {
		p.ipv4(fmt.Sprintf("clusterDNS[%d]", i), address)
	}
}

func (p *problems) caCertificate(field, value string) {
	block, _ := pem.Decode([]byte(value))
	var certificate *x509.Certificate
	if block != nil {
		certificate, _ = x509.ParseCertificate(block.Bytes)
	}
	switch {
	case strings.Contains(value, "PRIVATE KEY"):
		p.add(field, "holds a private key", "write the certificate alone: the key never leaves the control plane")
	case certificate == nil:
		p.add(field, "holds no certificate", "write the cluster authority's certificate in PEM")
	case !certificate.IsCA:
		p.add(field, "is not the certificate of an authority", "write the cluster authority's certificate in PEM")
	}
}

// allowedLabelDomains are the only domains of kubernetes.io below which a
// kubelet may label its node: NodeRestriction refuses every other.
// https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction
var allowedLabelDomains = []string{"node.kubernetes.io", "kubelet.kubernetes.io"}

func (p *problems) nodeLabels(field string, labels map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		at, value := fmt.Sprintf("%s[%q]", field, key), labels[key]
		if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
			p.add(at, "is not a label", "write a qualified name and a value of at most 63 letters, digits, dashes, dots")
			continue
		}
		domain, _, found := strings.Cut(key, "/")
		if !found {
			continue
		}
		reserved := false
		for _, suffix := range []string{"kubernetes.io", "k8s.io"} {
			reserved = reserved || domain == suffix || strings.HasSuffix(domain, "."+suffix)
		}
		for _, allowed := range allowedLabelDomains {
			reserved = reserved && domain != allowed && !strings.HasSuffix(domain, "."+allowed)
		}
		if reserved {
			p.add(at, "is in a domain that NodeRestriction keeps from nodes", "use a domain of your own; labels that isolate workloads are set through the API")
		}
	}
}

// parseTaint reads key[=value]:Effect.
func parseTaint(text string) (corev1.Taint, error) {
	rest, effect, found := strings.Cut(text, ":")
	key, value, _ := strings.Cut(rest, "=")
	taint := corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)}
	switch taint.Effect {
	case corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
	default:
		found = false
	}
	if !found || len(validation.IsQualifiedName(key)) > 0 || value != "" && len(validation.IsValidLabelValue(value)) > 0 {
		return corev1.Taint{}, fmt.Errorf("%q is not a taint", text)
	}
	return taint, nil
}

// Files gives every file of the worker but its bootstrap credentials, sorted by
// path.
func (w Worker) Files() ([]File, error) {
	w = w.WithDefaults()
	files := []File{
		sysctlFile(w.Paths, RoleWorker),
		w.containerdFile(),
	}
	if w.CACertificate != "" {
		files = append(files, File{Path: w.Paths.ClusterCA(), Mode: modePublic, Owner: ownerRoot, Contents: w.CACertificate})
	}
	files = append(files, w.registryFiles()...)
	if slices.Contains(w.RuntimeClasses, RuntimeClassGVisor) {
		files = append(files, w.runscFile())
	}
	renderers := []func() (File, error){w.kubeletFile, w.cniFile}
	if len(w.Registries.CredentialProviders) > 0 {
		renderers = append(renderers, w.credentialProviderFile)
	}
	for _, render := range renderers {
		file, err := render()
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return sortFiles(files)
}

var tokenPattern = regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`)

// BootstrapKubeconfig renders the kubeconfig with which the node joins, for a
// bootstrap token of the form id.secret. It is a secret, and useless once the
// token has expired.
func (w Worker) BootstrapKubeconfig(token string) (File, error) {
	w = w.WithDefaults()
	if !tokenPattern.MatchString(token) {
		return File{}, fieldError("token", "is not a bootstrap token", "write six and sixteen lower-case letters or digits with a dot between")
	}
	cluster := clientcmdv1.Cluster{Server: w.APIServer, CertificateAuthority: w.Paths.ClusterCA()}
	file, err := renderKubeconfig(w.Paths.KubeletBootstrapKubeconfig(), w.ClusterName, cluster, "kubelet-bootstrap",
		clientcmdv1.AuthInfo{Token: token})
	file.Owner = ownerRoot
	return file, err
}
