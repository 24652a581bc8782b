//go:build linux

package node

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage/value"
	"k8s.io/apiserver/pkg/storage/value/encrypt/secretbox"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// encryptedResources are one of each kind of place in etcd.
var encryptedResources = []string{"secrets", "configmaps", "services", "widgets.example.org"}

var (
	oldKey  = hostconfig.EncryptionKey{Name: "old", Secret: base64.StdEncoding.EncodeToString([]byte(strings.Repeat("o", 32))), Provider: hostconfig.EncryptionAESCBC}
	lastKey = hostconfig.EncryptionKey{Name: "key-1", Secret: base64.StdEncoding.EncodeToString([]byte(strings.Repeat("1", 32))), Provider: hostconfig.EncryptionSecretbox}
)

// planes are two API servers on one etcd, each with an encryption of its own, and the
// program of each control plane.
type planes struct {
	*lab
	etcd    *clientv3.Client
	servers [2]*exec.Cmd
	agents  [2]*agent.Agent
	logs    *logBuffer
	start   func(i int)
	second  string // URL of the second API server
}

func newPlanes(t *testing.T) *planes {
	t.Helper()
	s := newGCP(t)
	l := &lab{site: s, directory: t.TempDir()}
	bin, ports := programs(t, "etcd", "kube-apiserver"), freePorts(t, 3)
	network := fmt.Sprintf("127.%d.%d", 100+rand.IntN(100), rand.IntN(250))
	s.config.ControlPlanes = nil
	var listen []string
	for i := range 2 {
		name, address := fmt.Sprintf("control-plane-%d", i+1), fmt.Sprintf("%s.%d", network, i+1)
		s.config.ControlPlanes = append(s.config.ControlPlanes, nodeconfig.ControlPlane{Name: name, Address: address})
		s.instance(t, fakecloud.Instance{ID: s.id(fmt.Sprint(i + 1)), Name: name, Role: roleControlPlane, Addresses: []string{address}})
		listen = append(listen, "https://"+address+":2379")
	}
	private, public, err := pki.NewServiceAccountKey()
	require.NoError(t, err)
	write(t, l.path("sa.key"), private)
	write(t, l.path("sa.pub"), public)
	l.leaf(t, "ca", "server", pki.LeafRequest{CommonName: "kube-apiserver", DNSNames: []string{"localhost"}, IPAddresses: []string{"127.0.0.1"}, Server: true})
	l.leaf(t, "etcd/ca", "etcd", pki.LeafRequest{CommonName: "etcd", IPAddresses: []string{network + ".1", network + ".2", "127.0.0.1"}, Server: true, Client: true})
	l.run(t, filepath.Join(bin, "etcd"), "--data-dir="+l.path("etcd"), "--unsafe-no-fsync", "--listen-client-urls="+strings.Join(listen, ","), "--advertise-client-urls="+listen[0],
		fmt.Sprintf("--listen-peer-urls=http://127.0.0.1:%d", ports[2]), "--cert-file="+l.path("etcd.crt"), "--key-file="+l.path("etcd.key"),
		"--client-cert-auth", "--trusted-ca-file="+s.pki+"/etcd/ca.crt")
	p := &planes{lab: l, logs: &logBuffer{}}
	for i := range p.servers {
		config := s.config
		config.Node, config.APIServer, config.Encryption = s.config.ControlPlanes[i].Name, fmt.Sprintf("https://127.0.0.1:%d", ports[i]), l.path(fmt.Sprintf("encryption-%d.yaml", i))
		p.agents[i] = s.on(t, s.id(fmt.Sprint(i+1)), config, p.logs)
	}
	l.server, p.second = fmt.Sprintf("https://127.0.0.1:%d", ports[0]), fmt.Sprintf("https://127.0.0.1:%d", ports[1])
	p.start = func(i int) {
		t.Helper()
		if p.servers[i] != nil {
			kill(p.servers[i])
		}
		p.servers[i] = start(t, filepath.Join(bin, "kube-apiserver"), "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[i]),
			"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--etcd-servers="+listen[i], "--etcd-cafile="+s.pki+"/etcd/ca.crt",
			"--etcd-certfile="+l.path("etcd.crt"), "--etcd-keyfile="+l.path("etcd.key"), "--cert-dir="+l.directory,
			"--tls-cert-file="+l.path("server.crt"), "--tls-private-key-file="+l.path("server.key"), "--client-ca-file="+s.pki+"/ca.crt",
			"--service-account-issuer=https://test.invalid", "--service-account-key-file="+l.path("sa.pub"),
			"--service-account-signing-key-file="+l.path("sa.key"), "--service-cluster-ip-range=10.82.0.0/20",
			"--authorization-mode=Node,RBAC", "--disable-admission-plugins=ServiceAccount", "--anonymous-auth=false",
			"--encryption-provider-config="+l.path(fmt.Sprintf("encryption-%d.yaml", i)))
		admin := l.as(t, "admin", "system:masters")
		admin.Host = fmt.Sprintf("https://127.0.0.1:%d", ports[i])
		client := kubernetes.NewForConfigOrDie(admin)
		eventually(t, "an API server", func() error {
			return client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(t.Context()).Error()
		})
	}
	l.admin = kubernetes.NewForConfigOrDie(l.as(t, "admin", "system:masters"))
	p.etcd = (&members{site: s, t: t, directory: l.directory, nodes: []nodeconfig.ControlPlane{{Name: "etcd", Address: network + ".1"}}}).etcd(t, 0)
	return p
}

// encrypt writes the configuration of an API server, which reads every key of the test.
func (p *planes) encrypt(t *testing.T, i int, provider hostconfig.EncryptionProvider) {
	t.Helper()
	e := hostconfig.Encryption{Provider: provider, Keys: []hostconfig.EncryptionKey{lastKey, oldKey}, Resources: encryptedResources, ReadPlaintext: true,
		KMS: &hostconfig.KMS{Name: nodeconfig.KMSName, Endpoint: "unix://" + p.config.KMS.Socket}}
	document, err := e.Configuration()
	require.NoError(t, err)
	write(t, p.path(fmt.Sprintf("encryption-%d.yaml", i)), []byte(document))
}

// canary is in every object, and in no log.
const canary = "canary-7f3a"

// make makes one object of each resource.
func (p *planes) make(t *testing.T, name string) {
	t.Helper()
	admin := dynamic.NewForConfigOrDie(p.as(t, "admin", "system:masters"))
	for resource, object := range map[schema.GroupVersionResource]map[string]any{
		{Version: "v1", Resource: "secrets"}:                       {"kind": "Secret", "stringData": map[string]any{"a": canary}},
		{Version: "v1", Resource: "configmaps"}:                    {"kind": "ConfigMap", "data": map[string]any{"a": canary}},
		{Version: "v1", Resource: "services"}:                      {"kind": "Service", "spec": map[string]any{"ports": []any{map[string]any{"port": int64(80)}}}},
		{Group: "example.org", Version: "v1", Resource: "widgets"}: {"kind": "Widget", "data": canary},
	} {
		object["apiVersion"], object["metadata"] = resource.GroupVersion().String(), map[string]any{"name": name}
		var in dynamic.ResourceInterface = admin.Resource(resource)
		if resource.Resource != "widgets" { // which are in no namespace
			in = admin.Resource(resource).Namespace("default")
		}
		eventually(t, name, func() error {
			_, err := in.Create(t.Context(), &unstructured.Unstructured{Object: object}, metav1.CreateOptions{})
			return err
		})
	}
}

// place is the key of an object in etcd.
func place(resource, name string) string {
	return map[string]string{"secrets": "/registry/secrets/default/", "configmaps": "/registry/configmaps/default/",
		"services": "/registry/services/specs/default/", "widgets.example.org": "/registry/example.org/widgets/"}[resource] + name
}

// plant puts a Secret into etcd as the API server would have with another key, by the
// API server's own code.
func (p *planes) plant(t *testing.T, name, prefix string, transformer value.Transformer) {
	t.Helper()
	secret, err := p.admin.CoreV1().Secrets("default").Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	secret.ResourceVersion, secret.TypeMeta = "", metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	data, err := json.Marshal(secret)
	require.NoError(t, err)
	if transformer != nil {
		data, err = transformer.TransformToStorage(t.Context(), data, value.DefaultContext(place("secrets", name)))
		require.NoError(t, err)
	}
	_, err = p.etcd.Put(t.Context(), place("secrets", name), prefix+string(data))
	require.NoError(t, err)
}

func (p *planes) plantLast(t *testing.T, name string) {
	t.Helper()
	p.plant(t, name, "k8s:enc:secretbox:v1:key-1:", secretbox.NewSecretboxTransformer([32]byte([]byte(strings.Repeat("1", 32)))))
}

// stored gives the values and the revisions of everything that is encrypted.
func (p *planes) stored(t *testing.T) (values map[string]string, revisions map[string]int64) {
	t.Helper()
	values, revisions = map[string]string{}, map[string]int64{}
	for _, resource := range encryptedResources {
		at := strings.TrimSuffix(strings.TrimSuffix(place(resource, ""), "default/"), "/") + "/"
		found, err := p.etcd.Get(t.Context(), at, clientv3.WithPrefix())
		require.NoError(t, err)
		require.NotEmpty(t, found.Kvs, resource)
		for _, kv := range found.Kvs {
			values[string(kv.Key)], revisions[string(kv.Key)] = string(kv.Value), kv.ModRevision
		}
	}
	return values, revisions
}

// told is what the ConfigMap says.
func (p *planes) told(t *testing.T) map[string]string {
	t.Helper()
	found, err := p.admin.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "redoubt-encryption", metav1.GetOptions{})
	require.NoError(t, err)
	return found.Data
}

func number(version int) string { return fmt.Sprintf("/cryptoKeyVersions/%d", version) }
