package selfmanaged

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
}

// Validate reports everything that is wrong with the cluster and each of its
// machines, as joined [hostconfig.FieldError] values. The time decides whether
// exceptions still hold. Defaults are filled in first.
func (s Spec) Validate(now time.Time) error {
	decided := s.decided()
	s = s.WithDefaults()
	p := problems(decided)
	p.planes(s)
	p.pools(s)
	p.loadBalancer(s)
	p.network(s)
	p.store(s)
	p.encryption(s)
	p.snapshots(s, now)
	p.auditLog(s)
	if !imageHash.MatchString(s.Program.Hash) {
		p.add("program.hash", "is missing or not a hash (M26)", "write sha512- and 128, or sha256- and 64 hexadecimal digits of redoubt-node")
	}
	// What a machine's own judge says would be said again for each of them.
	if len(p) == 0 {
		p.machines(s, now)
	}
	slices.SortStableFunc(p, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(slices.CompactFunc(p, func(a, b error) bool { return a.Error() == b.Error() })...)
}

var imageHash = hashPattern

// decided refuses fields of the template that the cluster decides.
func (s Spec) decided() problems {
	var p problems
	n := s.Node
	for _, each := range []struct {
		field, by string
		set       bool
	}{
		{"node.role", "the list that a machine is in", n.Role != ""}, {"node.os", "this package", n.OS != ""},
		{"node.platform", "cloud.platform", n.Platform != ""}, {"node.name", "controlPlanes", n.Name != ""},
		{"node.address", "controlPlanes", n.Address != ""}, {"node.podCIDR", "controlPlanes and pools", n.PodCIDR != ""},
		{"node.kubernetesVersion", "kubernetesVersion", n.KubernetesVersion != ""},
		{"node.cluster", "cluster", n.Cluster.Name != "" || n.Cluster.Endpoint != ""},
		{"node.runtimeClasses", "pools", len(n.RuntimeClasses) > 0}, {"node.dataDisk", "pools", n.DataDisk != nil},
		{"node.controlPlane", "settings", n.ControlPlane != nil}, {"node.exceptions", "exceptions", len(n.Exceptions) > 0},
		{"node.paths", "kubeadm", n.Paths.Root != ""},
		{"settings.encryption", "encryption", s.Settings.Encryption.Provider != "" || s.Settings.Encryption.KMS != nil || len(s.Settings.Encryption.Keys) > 0},
		{"cluster.controlPlanes", "controlPlanes", len(s.Cluster.ControlPlanes) > 0 && !s.defaulted()},
		{"cluster.managed", "this package", s.Cluster.Managed},
		{"kubeadm.signerCertificate", "this package", s.Kubeadm.SignerCertificate != ""},
		{"kubeadm.discoveryFile", "this package", s.Kubeadm.DiscoveryFile != ""},
	} {
		if each.set {
			p.add(each.field, "is decided by "+each.by, "leave it out")
		}
	}
	return p
}

// defaulted tells whether the cluster's control planes are those that WithDefaults fills in.
func (s Spec) defaulted() bool {
	own := s.Cluster.ControlPlanes
	s.Cluster.ControlPlanes = nil
	return slices.Equal(own, s.WithDefaults().Cluster.ControlPlanes)
}

// devicePattern is a path that needs no quoting in a unit or a script.
var devicePattern = regexp.MustCompile(`^/dev(/[A-Za-z0-9_.:@+-]+)+$`)

func (p *problems) planes(s Spec) {
	if n := len(s.ControlPlanes); n != 1 && n != 3 && n != 5 {
		p.add("controlPlanes", fmt.Sprintf("%d machines have no majority that survives the loss of one as cheaply", n), "list one, three or five")
	}
	seen := map[string]string{}
	for i, plane := range s.ControlPlanes {
		at := fmt.Sprintf("controlPlanes[%d]", i)
		p.label(at+".name", plane.Name)
		if address, err := netip.ParseAddr(plane.Address); err != nil || !address.Is4() {
			p.add(at+".address", fmt.Sprintf("%q is not an IPv4 address", plane.Address), "write the machine's fixed address, such as 10.80.0.10")
		}
		if !devicePattern.MatchString(plane.Device) || strings.Contains(plane.Device, "..") {
			p.add(at+".device", fmt.Sprintf("%q is not a device", plane.Device), "write a path such as /dev/disk/by-id/name, see EBSDevice and PersistentDiskDevice")
		}
		for _, value := range []string{"name " + plane.Name, "address " + plane.Address} {
			if other := seen[value]; other != "" {
				p.add(at, value+" is also that of "+other, "give each machine its own")
			}
			seen[value] = at
		}
		if (plane.PodCIDR != "") != (s.Network.CNI == CNIBridge) {
			p.add(at+".podCIDR", "goes with the bridge network, and with no other", "write it there, and leave it out elsewhere")
		}
	}
}

func (p *problems) label(field, value string) {
	if len(validation.IsDNS1123Label(value)) > 0 {
		p.add(field, fmt.Sprintf("%q is not a DNS label", value), "write lower-case letters, digits and dashes, at most 63")
	}
}

func (p *problems) pools(s Spec) {
	for i, pool := range s.Pools {
		at := fmt.Sprintf("pools[%d]", i)
		if (pool.PodCIDR != "") != (s.Network.CNI == CNIBridge) {
			p.add(at+".podCIDR", "goes with the bridge network, and with no other", "write it there, and leave it out elsewhere")
		}
		for _, plane := range s.ControlPlanes {
			if plane.Name == pool.Name {
				p.add(at+".name", pool.Name+" is also a control plane", "choose another name")
			}
		}
	}
}

func (p *problems) loadBalancer(s Spec) {
	host := s.endpointHost()
	u, err := url.Parse(s.Cluster.Endpoint)
	if err != nil || u.Scheme != "https" || host == "" || u.Path != "" || u.User != nil || u.RawQuery != "" {
		p.add("cluster.endpoint", fmt.Sprintf("%q is not the URL of a server", s.Cluster.Endpoint), "write for example https://api.prod.internal:6443")
		return
	}
	if u.Port() != fmt.Sprint(s.Cluster.Ports.APIServer) {
		p.add("cluster.endpoint", "has another port than cluster.ports.apiServer", fmt.Sprintf("write %d", s.Cluster.Ports.APIServer))
	}
	address, err := netip.ParseAddr(host)
	switch {
	case err != nil && len(validation.IsDNS1123Subdomain(host)) > 0:
		p.add("cluster.endpoint", fmt.Sprintf("%q is neither a name nor an address", host), "write a name of a private zone, or the load balancer's address")
	case err == nil && !address.Is4():
		p.add("cluster.endpoint", host+" is not an IPv4 address", "write a name of a private zone, or the load balancer's address")
	}
	for i, plane := range s.ControlPlanes {
		if plane.Address == host && len(s.ControlPlanes) > 1 {
			p.add("cluster.endpoint", fmt.Sprintf("is the address of controlPlanes[%d], whose loss would be everybody's", i), "write the load balancer's name or address")
		}
	}
	if v := s.LoadBalancer.Passthrough; v != "" {
		if address, err := netip.ParseAddr(v); err != nil || !address.Is4() {
			p.add("loadBalancer.passthrough", fmt.Sprintf("%q is not an IPv4 address", v), "write the load balancer's reserved address, or nothing")
		}
	}
}

func (p *problems) network(s Spec) {
	if _, known := networks[s.Network.CNI]; !known {
		p.add("network.cni", fmt.Sprintf("%q is not a network plugin that machines are ready for", s.Network.CNI), "write calico, cilium or bridge")
	}
}

// bucketPattern is what both clouds accept as the name of a bucket.
var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$`)

func (p *problems) store(s Spec) {
	if !bucketPattern.MatchString(s.Store) {
		p.add("store", fmt.Sprintf("%q is not the name of a bucket", s.Store), "write its name, without s3:// or gs://")
	}
	for _, name := range PKIFiles() {
		hash, found := s.PKI[name]
		switch {
		case found && !hashPattern.MatchString(hash):
			p.add(fmt.Sprintf("pki[%q]", name), "is not a hash", "write what selfmanaged.Hash gives for the file")
		case !found && (name != EncryptionFile || s.localKeys()):
			p.add(fmt.Sprintf("pki[%q]", name), "is missing", "write what selfmanaged.Hash gives for the file")
		}
	}
	for name := range s.PKI {
		if name == clusterCA && s.PKI[name] == Hash([]byte(s.Cluster.CACertificate)) {
			continue
		}
		if name == clusterCA {
			p.add(`pki["ca.crt"]`, "is not the hash of cluster.caCertificate", "leave it out: the certificate stands in the configurations")
			continue
		}
		if pkiPaths[name] == "" {
			p.add(fmt.Sprintf("pki[%q]", name), "is no file of a control plane", "write one of "+strings.Join(PKIFiles(), ", "))
		}
	}
}

func (p *problems) encryption(s Spec) {
	e := s.Encryption
	switch e.Provider {
	case hostconfig.EncryptionKMS:
		if len(e.Keys) == 0 {
			p.add("encryption.keys", "is empty (M18)", "write the cloud's key that encrypts")
		}
	case hostconfig.EncryptionSecretbox:
	default:
		p.add("encryption.provider", fmt.Sprintf("%q is not offered here (CIS-1.2.28)", e.Provider), "write kms or secretbox")
	}
}

// snapshotPattern is a key that needs no quoting in a script.
var snapshotPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:@+/-]{0,200}$`)

func (p *problems) snapshots(s Spec, now time.Time) {
	if r := s.Restore; r != nil {
		if !snapshotPattern.MatchString(r.Snapshot) {
			p.add("restore.snapshot", fmt.Sprintf("%q is not the key of a snapshot", r.Snapshot), "write it as the bucket lists it, such as etcd/2026-06-01T12:00:00Z-control-plane-1.db")
		}
		until, err := time.Parse(time.RFC3339, r.Until)
		switch {
		case err != nil:
			p.add("restore.until", fmt.Sprintf("%q is not a time", r.Until), "write an RFC 3339 time within the next day, such as "+now.Add(4*time.Hour).UTC().Format(time.RFC3339))
		case until.After(now.Add(24 * time.Hour)):
			p.add("restore.until", r.Until+" is more than a day away: a volume that is lost by then would bring the snapshot back", "write a time within the next day")
		}
	}
	if problem := nodeconfig.WrongRepairAfter(s.RepairAfter.Duration); problem != "" {
		p.add("repairAfter", problem, "write 10m")
	}
	if every := s.Snapshots.Every.Duration; every < 10*time.Minute || every > 24*time.Hour {
		p.add("snapshots.every", every.String()+" is not between ten minutes and a day", "write 6h")
	}
}

// machines asks the judges of each machine, and names the fields as this
// specification does.
func (p *problems) machines(s Spec, now time.Time) {
	take := func(at string, spec flatcar.Spec, err error, config error) {
		for _, each := range split(config) {
			p.add(at+each.Field, each.Problem, each.Remedy)
		}
		for _, each := range split(err) {
			if !strings.HasPrefix(each.Field, "node.") { // kubeadm's documents have the rest
				each.Field = "kubeadm." + each.Field
			}
			p.add(field(at, each.Field), each.Problem, each.Remedy)
		}
		for _, each := range split(spec.Validate(now)) {
			p.add(field(at, each.Field), each.Problem, each.Remedy)
		}
	}
	// Control planes differ in what planes and the cluster's own judge look at, and
	// each is judged once more when it is rendered.
	for i, plane := range s.ControlPlanes[:1] {
		spec, err := s.controlPlane(plane, now)
		take(fmt.Sprintf("controlPlanes[%d].", i), spec, err, s.config(plane.Name, "").WithDefaults().Validate())
	}
	for i, pool := range s.Pools {
		spec, err := s.pool(pool)
		take(fmt.Sprintf("pools[%d].", i), spec, err, s.config("", pool.Name).WithDefaults().Validate())
	}
}

// shared are fields of a machine that this specification has for all of them.
var shared = []string{"kubernetes.", "kubernetesVersion", "kernelArguments", "auditRules", "butaneVersion", "kubeadm.", "exceptions"}

// field names a machine's field as the specification does.
func field(at, name string) string {
	own, isNode := strings.CutPrefix(name, "node.")
	if isNode {
		for _, each := range []struct{ from, to string }{
			{"cluster.", "cluster."}, {"controlPlane.", "settings."}, {"exceptions", "exceptions"}, {"kubernetesVersion", "kubernetesVersion"},
		} {
			if rest, found := strings.CutPrefix(own, each.from); found {
				return each.to + rest
			}
		}
		for _, each := range []string{"name", "address", "podCIDR", "labels", "taints", "runtimeClasses", "dataDisk"} {
			if own == each || strings.HasPrefix(own, each+".") || strings.HasPrefix(own, each+"[") {
				return at + own
			}
		}
		return name
	}
	for _, prefix := range shared {
		if strings.HasPrefix(name, prefix) {
			return name
		}
	}
	return at + name
}

// split takes joined errors apart.
func split(err error) []*hostconfig.FieldError {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var found []*hostconfig.FieldError
		for _, each := range joined.Unwrap() {
			found = append(found, split(each)...)
		}
		return found
	}
	var one *hostconfig.FieldError
	if errors.As(err, &one) {
		return []*hostconfig.FieldError{one}
	}
	return []*hostconfig.FieldError{{Problem: err.Error(), Remedy: "report this as a defect"}}
}
