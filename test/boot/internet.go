package boot

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/agent/images"
	"github.com/redoubt-dev/redoubt/components/local/netns"
	"github.com/redoubt-dev/redoubt/components/local/pki"
)

// Internet is what machines fetch from public servers, or from mirrors of them: a
// directory of images as a registry, and single files. It speaks TLS with an
// authority of its own, under the real names.
type Internet struct {
	// Address is that of the servers in the NodeCIDR, "" for none.
	Address string
	// Outside are further addresses, beyond the NodeCIDR, which machines reach
	// through Address. Names lead to the first of them, if there is any.
	Outside []string
	// Registries are host names under which the images are served, by the last
	// parts of their names: a mirror may put a path of its own before them.
	Registries []string
	// Files maps https URLs to files of this host.
	Files map[string]string
}

// internet is a running Internet.
type internet struct {
	Internet
	images    string // directory of [MakeImages]
	authority *pki.Authority
	ca        []byte
	registry  *images.Registry
	server    *http.Server
	mutex     sync.Mutex
	leaves    map[string]*tls.Certificate
}

func newInternet(settings Internet, imageDir string) (*internet, error) {
	certificate, key, err := pki.NewAuthority("rehearsal's internet", 24*time.Hour)
	if err != nil {
		return nil, err
	}
	authority, err := pki.ParseAuthority(certificate, key)
	if err != nil {
		return nil, err
	}
	i := &internet{Internet: settings, images: imageDir, authority: authority, ca: certificate, leaves: map[string]*tls.Certificate{}}
	if imageDir != "" {
		i.registry, err = images.NewRegistry(filepath.Join(imageDir, "registry"), slog.New(slog.NewTextHandler(io.Discard, nil)))
	}
	return i, err
}

// public is the address that names lead to.
func (i *internet) public() string {
	if len(i.Outside) > 0 {
		return i.Outside[0]
	}
	return i.Address
}

// hosts are the names that lead here.
func (i *internet) hosts() []string {
	names := append([]string{}, i.Registries...)
	for address := range i.Files {
		if u, err := url.Parse(address); err == nil {
			names = append(names, u.Host)
		}
	}
	return names
}

func (i *internet) serve(ctx context.Context, namespace string) error {
	for _, address := range i.Outside {
		if err := in(ctx, namespace, "ip", "address", "add", address+"/32", "dev", netns.NodeInterface); err != nil {
			return err
		}
	}
	listener, err := Listen(namespace, "tcp", "0.0.0.0:443")
	if err != nil {
		return err
	}
	i.server = &http.Server{Handler: i, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		_ = i.server.Serve(tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: i.certificate, NextProtos: []string{"http/1.1"}}))
	}()
	return nil
}

func (i *internet) close() {
	if i == nil {
		return
	}
	if i.server != nil {
		_ = i.server.Close()
	}
	if i.registry != nil {
		_ = i.registry.Close()
	}
}

func (i *internet) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if leaf := i.leaves[hello.ServerName]; leaf != nil {
		return leaf, nil
	}
	certificate, key, err := pki.Issue(i.authority, pki.LeafRequest{CommonName: hello.ServerName, DNSNames: []string{hello.ServerName}, Server: true, Validity: 12 * time.Hour})
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	i.leaves[hello.ServerName] = &pair
	return &pair, err
}

// ServeHTTP gives a file, or an image's part.
func (i *internet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if file := i.Files["https://"+r.Host+r.URL.Path]; file != "" {
		http.ServeFile(w, r, file)
		return
	}
	if i.registry == nil || !strings.HasPrefix(r.URL.Path, "/v2/") {
		http.NotFound(w, r)
		return
	}
	if r.URL.Path != "/v2/" {
		name, rest := split(strings.TrimPrefix(r.URL.Path, "/v2/"))
		found, err := i.find(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawQuery = "/v2/"+found+rest, ""
	}
	i.registry.ServeHTTP(w, r)
}

// split parts a repository's name from what is asked of it.
func split(path string) (name, rest string) {
	for _, kind := range []string{"/manifests/", "/blobs/", "/tags/"} {
		if at := strings.LastIndex(path, kind); at > 0 {
			return path[:at], path[at:]
		}
	}
	return path, ""
}

// find gives the image, with its registry, whose name ends as the given one does.
func (i *internet) find(name string) (string, error) {
	registries, err := os.ReadDir(filepath.Join(i.images, "registry"))
	if err != nil {
		return "", err
	}
	for ; name != ""; _, name, _ = strings.Cut(name, "/") {
		for _, registry := range registries {
			if _, err := os.Stat(filepath.Join(i.images, "registry", registry.Name(), name, "index.json")); err == nil {
				return registry.Name() + "/" + name, nil
			}
		}
	}
	return "", fmt.Errorf("no such image")
}
