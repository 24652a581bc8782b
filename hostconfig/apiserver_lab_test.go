package hostconfig

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// apiLab is a real etcd, and what real API servers need beside it.
type apiLab struct {
	c    ControlPlane
	root *http.Client
	ca   authority
}

// apiServerUnderTest is one running API server.
type apiServerUnderTest struct {
	*daemon
	lab *apiLab
	url string
}

func newAPILab(t *testing.T, change func(*ControlPlane)) *apiLab {
	t.Helper()
	for _, name := range []string{ComponentEtcd, ComponentAPIServer} {
		program(t, name)
	}
	c := plain()
	c.Paths.Root = t.TempDir()
	c.Ports = freePorts(t)
	change(&c)
	accepted(t, c.Validate(time.Now()))
	l := &apiLab{c: c, ca: providePKI(t, c)}
	files, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		writeFile(t, file.Path, []byte(file.Contents), os.FileMode(file.Mode))
	}
	for _, directory := range []string{c.Paths.EtcdData(), filepath.Dir(c.Paths.AuditLog())} {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	masters := filepath.Join(t.TempDir(), "masters")
	l.ca.issue(t, LeafCertificate{CommonName: "test", Organizations: []string{"system:masters"}, Client: true, CertFile: masters + ".crt", KeyFile: masters + ".key"})
	l.root = httpClient(t, c, c.Authorities().Cluster, masters)
	etcd := start(t, ComponentEtcd, c.EtcdArgs())
	reader := httpClient(t, c, c.Authorities().Etcd, filepath.Join(c.Paths.PKI(), "apiserver-etcd-client"))
	etcd.until(t, "health", func() bool {
		return status(reader, httpsURL("127.0.0.1", c.Ports.EtcdMetrics)+"/health") == http.StatusOK
	})
	return l
}

// serve starts an API server with an encryption configuration of its own. The
// second of a lab listens on the port of another component.
func (l *apiLab) serve(t *testing.T, port int, encryption string) *apiServerUnderTest {
	t.Helper()
	path := filepath.Join(t.TempDir(), "encryption.yaml")
	writeFile(t, path, []byte(encryption), 0o600)
	var arguments []string
	for _, argument := range l.c.APIServerArgs() {
		switch flag, _, _ := strings.Cut(argument, "="); flag {
		case "--encryption-provider-config":
			argument = flag + "=" + path
		case "--secure-port":
			argument = flag + "=" + strconv.Itoa(port)
		}
		arguments = append(arguments, argument)
	}
	return &apiServerUnderTest{daemon: start(t, ComponentAPIServer, arguments), lab: l, url: httpsURL("127.0.0.1", port)}
}

// ready waits until the server answers; servers that start together are waited
// for one after the other.
func (s *apiServerUnderTest) ready(t *testing.T) *apiServerUnderTest {
	t.Helper()
	s.until(t, "/readyz", func() bool { return status(s.lab.root, s.url+"/readyz") == http.StatusOK })
	return s
}

// do sends a request and gives the answer's status and body. A token replaces
// the administrator's certificate.
func (s *apiServerUnderTest) do(t *testing.T, method, path string, object any, token string) (int, string) {
	t.Helper()
	var body io.Reader
	if object != nil {
		encoded, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	client := s.lab.root
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
		client = httpClient(t, s.lab.c, s.lab.c.Authorities().Cluster, "")
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%v:\n%s", err, s.tail())
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// stored gives the bytes of an object in etcd, as "secrets/default/name".
func (l *apiLab) stored(t *testing.T, object string) string {
	t.Helper()
	pki := l.c.Paths.PKI()
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, "apiserver-etcd-client.crt"), filepath.Join(pki, "apiserver-etcd-client.key"))
	if err != nil {
		t.Fatal(err)
	}
	base := httpClient(t, l.c, l.c.Authorities().Etcd, "").Transport.(*http.Transport).TLSClientConfig
	base.Certificates = []tls.Certificate{pair}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{httpsURL("127.0.0.1", l.c.Ports.EtcdClient)}, TLS: base, DialTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := client.Get(ctx, "/registry/"+object)
	if err != nil || len(answer.Kvs) != 1 {
		t.Fatalf("%s in etcd: %v", object, err)
	}
	return string(answer.Kvs[0].Value)
}
