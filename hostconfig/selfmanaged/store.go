package selfmanaged

import (
	"crypto/sha512"
	"encoding/hex"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// Names of the files that the store holds for control planes, below [PKIPrefix].
const (
	// EncryptionFile is the EncryptionConfiguration with local keys.
	EncryptionFile = "encryption.yaml"
)

// Keys and prefixes of the store.
const (
	// PKIPrefix is where the files of the control plane lie.
	PKIPrefix     = "control-plane/pki/"
	programPrefix = "bin/redoubt-node-"
)

// clusterCA is the certificate of the cluster's authority, which is in every
// configuration and so need not be in the store.
const clusterCA = "ca.crt"

// pkiPaths are the files of the store and where kubeadm looks for each.
var pkiPaths = map[string]string{
	"ca.key":      "/etc/kubernetes/pki/ca.key",
	"etcd/ca.crt": "/etc/kubernetes/pki/etcd/ca.crt", "etcd/ca.key": "/etc/kubernetes/pki/etcd/ca.key",
	"front-proxy-ca.crt": "/etc/kubernetes/pki/front-proxy-ca.crt", "front-proxy-ca.key": "/etc/kubernetes/pki/front-proxy-ca.key",
	"sa.key": "/etc/kubernetes/pki/sa.key", "sa.pub": "/etc/kubernetes/pki/sa.pub",
	EncryptionFile: "/etc/kubernetes/encryption/config.yaml",
}

// PKIFiles gives the names of the files that only control planes read, sorted:
// three authorities with their keys, the keys of service accounts, and the
// encryption configuration where its keys are local. The certificate of the
// cluster's authority is not among them: it stands in the configurations.
func PKIFiles() []string {
	var names []string
	for name := range pkiPaths {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Hash gives the verification hash of a file, as Ignition takes it.
func Hash(contents []byte) string {
	sum := sha512.Sum512(contents)
	return "sha512-" + hex.EncodeToString(sum[:])
}

// hashPattern is what Ignition verifies.
var hashPattern = regexp.MustCompile(`^(sha512-[0-9a-f]{128}|sha256-[0-9a-f]{64})$`)

// source gives the URL of an object of the store.
func (s Spec) source(key string) string {
	scheme := "s3://"
	if s.Cloud.Platform == hostconfig.PlatformGCP {
		scheme = "gs://"
	}
	return scheme + s.Store + "/" + key
}

// ProgramKey gives the key under which redoubt-node lies in the store. It has a
// part of the hash, so that machines of two versions find their own.
func (s Spec) ProgramKey() string {
	_, digits, _ := strings.Cut(s.Program.Hash, "-")
	return programPrefix + digits[:min(len(digits), 16)]
}

// PKIKey gives the key of a file of [PKIFiles].
func PKIKey(name string) string { return PKIPrefix + name }

// IgnitionKey gives the key of a control plane's configuration.
func (c ControlPlane) IgnitionKey() string { return path.Join("control-plane", c.Name+".ign") }

// IgnitionKey gives the key of the pool's configuration.
func (p Pool) IgnitionKey() string { return path.Join("workers", p.Name, "config.ign") }

// JoinKey gives the key of the kubeconfig with which machines of the pool join. A
// control plane writes it.
func (p Pool) JoinKey() string { return nodeconfig.JoinConfigKey(p.Name) }

// Principal is who reads or writes an object: Provisioner, ControlPlanes, or what
// [PoolPrincipal] gives.
type Principal string

// Principals.
const (
	// Provisioner is who creates the cluster's resources.
	Provisioner Principal = "provisioner"
	// ControlPlanes is the role of every control-plane machine.
	ControlPlanes Principal = "control-plane"
)

// PoolPrincipal is the role of a pool's machines.
func PoolPrincipal(pool string) Principal { return Principal("pool:" + pool) }

// Grant says who may do what with an object of the store. What no grant allows
// nobody may: above all nobody may delete, and no worker may list. Control planes
// may list, because both clouds tell who may not that an object that is not there
// is forbidden, and a control plane must know whether the cluster exists.
type Grant struct {
	Key string `json:"key"`
	// Readers may get the object; Writers may put it.
	Readers []Principal `json:"readers"`
	Writers []Principal `json:"writers"`
	// Secret says that the contents must be treated as a secret.
	Secret bool `json:"secret"`
}

// Object is an object that the provisioner writes.
type Object struct {
	Grant
	// Contents is nil for what this package does not know: the files of [PKIFiles],
	// and the program.
	Contents []byte `json:"contents,omitempty"`
}

// Grants gives every object of the store with who may read and write it, sorted
// by key. It needs no more of the specification than names and the program's
// hash, so that policies can be made before anything is rendered.
func (s Spec) Grants() []Grant {
	s = s.WithDefaults()
	var grants []Grant
	planes, provisioner := []Principal{ControlPlanes}, []Principal{Provisioner}
	all := slices.Clone(planes)
	for _, pool := range s.Pools {
		own := []Principal{PoolPrincipal(pool.Name)}
		all = append(all, own...)
		grants = append(grants,
			Grant{Key: pool.IgnitionKey(), Readers: own, Writers: provisioner},
			// A control plane reads what it wrote, to see whether it is due.
			Grant{Key: pool.JoinKey(), Readers: append(own, planes...), Writers: planes, Secret: true})
	}
	for _, plane := range s.ControlPlanes {
		// It has hashes of keys.
		grants = append(grants, Grant{Key: plane.IgnitionKey(), Readers: planes, Writers: provisioner, Secret: true})
	}
	for _, name := range PKIFiles() {
		if name != EncryptionFile || s.localKeys() {
			grants = append(grants, Grant{Key: PKIKey(name), Readers: planes, Writers: provisioner, Secret: true})
		}
	}
	grants = append(grants, Grant{Key: nodeconfig.KeyInitialized, Readers: planes, Writers: planes})
	if s.Program.Source == s.source(s.ProgramKey()) {
		grants = append(grants, Grant{Key: s.ProgramKey(), Readers: all, Writers: provisioner})
	}
	slices.SortFunc(grants, func(a, b Grant) int { return strings.Compare(a.Key, b.Key) })
	return grants
}

// localKeys tells whether the encryption configuration comes from the store.
func (s Spec) localKeys() bool {
	return s.PKI[EncryptionFile] != "" || s.Encryption.Provider != hostconfig.EncryptionKMS
}
