package gcp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// keyID names a key of the cluster before it exists.
func (a FlatcarClusterArgs) keyID(ring, use string) string {
	return ring + "/cryptoKeys/" + KeysArgs{Generation: a.KeyGeneration}.named(a.Cluster+"-"+use)
}

// made is what machines are told that exists only once it has been made.
type made struct {
	// authority is the certificate of the cluster's authority, hashes those of the
	// files of [selfmanaged.PKIFiles].
	authority string
	hashes    map[string]string
	program   selfmanaged.Program
	secrets   string // the key of secrets
}

// spec is the cluster as package selfmanaged describes it.
func (a FlatcarClusterArgs) spec(m made) (selfmanaged.Spec, error) {
	s := a.Host
	balancer, addresses, err := ControlPlaneAddresses(a.ControlPlaneCIDR, a.ControlPlane.Machines)
	if err != nil {
		return s, err
	}
	s.Cloud = nodeconfig.Cloud{Platform: hostconfig.PlatformGCP, Region: a.Project.Region, Project: a.Project.ID, Zones: a.Zones}
	s.Cluster.Name, s.Cluster.Endpoint, s.Cluster.CACertificate = a.Cluster, endpointOf(balancer), m.authority
	s.Cluster.PodCIDRs, s.Cluster.ServiceCIDRs = []string{a.PodCIDR}, []string{a.ServiceCIDR}
	s.Cluster.NodeCIDRs, s.Cluster.Operators = []string{a.NodeCIDR, a.ControlPlaneCIDR}, a.Operators
	s.KubernetesVersion, s.Kubernetes.Source, s.Kubernetes.Hash = a.KubernetesVersion, a.Kubernetes.Source, a.Kubernetes.Hash
	s.ControlPlanes = nil
	for i, address := range addresses {
		s.ControlPlanes = append(s.ControlPlanes, selfmanaged.ControlPlane{Name: a.controlPlaneName(i), Address: address, Device: selfmanaged.PersistentDiskDevice(dataDevice)})
	}
	s.ControlPlaneRole = a.Project.email(FlatcarAccount(a.Cluster, ""))
	s.Pools = nil
	for _, p := range a.Pools {
		s.Pools = append(s.Pools, p.spec(a))
	}
	s.LoadBalancer.Passthrough = balancer
	s.Network.CNI = selfmanaged.CNI(a.CNI)
	s.Node.Surroundings.Services = append([]hostconfig.Service{hostconfig.RestrictedGoogleAPIs()}, s.Node.Surroundings.Services...)
	s.Store, s.Snapshots.Bucket = StoreName(a.Project, a.Cluster), SnapshotsName(a.Project, a.Cluster)
	s.PKI, s.Program = m.hashes, m.program
	s.Encryption.Provider, s.Encryption.Keys = hostconfig.EncryptionProvider(a.Encryption.Provider), nil
	if s.Encryption.Provider == hostconfig.EncryptionKMS {
		s.Encryption.Keys = []string{m.secrets}
	}
	s.Exceptions = a.Exceptions
	return s, nil
}

func endpointOf(address string) string {
	return fmt.Sprintf("https://%s:%d", address, hostconfig.DefaultPorts().APIServer)
}

func (p FlatcarPoolArgs) spec(a FlatcarClusterArgs) selfmanaged.Pool {
	pool := selfmanaged.Pool{
		Pool:   nodeconfig.Pool{Name: p.Name, Role: a.Project.email(FlatcarAccount(a.Cluster, p.Name)), Group: poolGroup(a.Cluster, p.Name)},
		Labels: map[string]string{}, Taints: append([]string(nil), p.Taints...), RuntimeClasses: p.RuntimeClasses, Extensions: p.Extensions,
	}
	for key, value := range p.NodeLabels {
		pool.Labels[key] = value
	}
	if p.Isolation != "" {
		pool.Labels[isolationKey] = p.Isolation
		pool.Taints = append(pool.Taints, isolationKey+"="+p.Isolation+":NoSchedule")
	}
	return pool
}

// checkHost judges what machines are told before anything is made: what does not
// exist yet has stand-ins of the same form.
func (a FlatcarClusterArgs) checkHost(now time.Time) error {
	authority, err := standInAuthority(now)
	if err != nil {
		return err
	}
	m := made{authority: authority, hashes: map[string]string{}, program: selfmanaged.Program{Hash: selfmanaged.Hash(nil)},
		secrets: a.keyID(a.Project.path("keyRings", a.Cluster), "secrets")}
	for _, name := range selfmanaged.PKIFiles() {
		if name != selfmanaged.EncryptionFile || a.Encryption.Provider != string(hostconfig.EncryptionKMS) {
			m.hashes[name] = selfmanaged.Hash([]byte(name))
		}
	}
	s, err := a.spec(m)
	if err != nil {
		return err
	}
	return below("host", s.Validate(now))
}

// below names the fields of an error under another one.
func below(field string, err error) error {
	var out []error
	var walk func(error)
	walk = func(err error) {
		var one *hostconfig.FieldError
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, each := range many.Unwrap() {
				walk(each)
			}
		} else if errors.As(err, &one) {
			out = append(out, &hostconfig.FieldError{Field: field + "." + one.Field, Problem: one.Problem, Remedy: one.Remedy})
		} else if err != nil {
			out = append(out, err)
		}
	}
	walk(err)
	return errors.Join(out...)
}

// standInAuthority is a certificate for judgements; its key is forgotten.
func standInAuthority(now time.Time) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), err
}
