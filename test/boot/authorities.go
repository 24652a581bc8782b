package boot

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// pkiDir is where kubeadm has the authorities, and which they are.
const pkiDir = "/etc/kubernetes/pki/"

var authorities = []string{"ca", "etcd/ca", "front-proxy-ca"}

// signer is whose signature a server must show.
type signer int

const (
	lastAuthority signer = iota
	nextAuthority
	eitherAuthority
)

// Rotation is a rotation of a cluster's authorities under way, watched with the
// credentials that were issued before it began.
type Rotation struct {
	r *Rehearsal
	// last are the authorities that signed before, next those that replace them, by
	// name.
	last, next map[string]*x509.Certificate
	// admin and etcd are clients with certificates of the last authorities; token is a
	// service account's, signed with their keys.
	admin, etcd tls.Certificate
	token       string
	check       func(context.Context) error
}

// BeginRotation keeps what the authorities of now have issued.
func (r *Rehearsal) BeginRotation(ctx context.Context) (*Rotation, error) {
	x := &Rotation{r: r, last: map[string]*x509.Certificate{}, next: map[string]*x509.Certificate{}}
	plane := r.Planes()[0]
	for _, name := range authorities {
		found, err := r.certificates(plane, name)
		if err != nil {
			return nil, err
		}
		if len(found) != 1 {
			return nil, fmt.Errorf("%s trusts %d authorities %q before any rotation", plane, len(found), name)
		}
		x.last[name] = found[0]
	}
	var err error
	if x.etcd, err = tls.LoadX509KeyPair(r.File(plane, pkiDir+"apiserver-etcd-client.crt"), r.File(plane, pkiDir+"apiserver-etcd-client.key")); err != nil {
		return nil, err
	}
	crt, key, err := adminPair(r.File(plane, adminConfig))
	if err != nil {
		return nil, err
	}
	if x.admin, err = tls.X509KeyPair(crt, key); err != nil {
		return nil, err
	}
	if x.token, err = r.Kubectl(ctx, "--namespace=kube-system", "create", "token", "default", "--duration=2h"); err != nil {
		return nil, err
	}
	x.check, err = keep(ctx, r)
	return x, err
}

// Trusted wants the first step done: everybody trusts both authorities, the last
// ones sign.
func (x *Rotation) Trusted(ctx context.Context) error {
	for _, name := range authorities {
		found, err := x.r.certificates(x.r.Planes()[0], name)
		if err != nil {
			return err
		}
		if len(found) != 2 || !found[0].Equal(x.last[name]) {
			return fmt.Errorf("%s must hold two authorities, the one that signs first: it holds %d", name, len(found))
		}
		x.next[name] = found[1]
	}
	return x.holds(ctx, state{files: [][]*x509.Certificate{x.of(lastAuthority), x.of(nextAuthority)}, servers: lastAuthority, kubelets: lastAuthority, lastWorks: true})
}

// Signs wants the second step done: the next authorities sign, and what the last
// ones signed is good still. A kubelet of a control plane may have asked a controller
// manager that was not replaced yet.
func (x *Rotation) Signs(ctx context.Context) error {
	return x.holds(ctx, state{files: [][]*x509.Certificate{x.of(nextAuthority), x.of(lastAuthority)}, servers: nextAuthority, kubelets: eitherAuthority, lastWorks: true})
}

// Forgotten wants the last step done: nothing that the last authorities signed is
// good for anything.
func (x *Rotation) Forgotten(ctx context.Context) error {
	return x.holds(ctx, state{files: [][]*x509.Certificate{x.of(nextAuthority)}, servers: nextAuthority, kubelets: nextAuthority})
}

// of gives the authorities of a side in the order of their names.
func (x *Rotation) of(s signer) []*x509.Certificate {
	var out []*x509.Certificate
	for _, name := range authorities {
		if s == lastAuthority {
			out = append(out, x.last[name])
		} else {
			out = append(out, x.next[name])
		}
	}
	return out
}

// state is what must hold after a step.
type state struct {
	// files are what a control plane's files of authorities hold, in order.
	files [][]*x509.Certificate
	// servers signed what API servers and etcd show, kubelets what kubelets show.
	servers, kubelets signer
	// lastWorks says that credentials of the last authorities are good.
	lastWorks bool
}

// holds waits until all of it is so, on every machine.
func (x *Rotation) holds(ctx context.Context, want state) error {
	r := x.r
	if err := within(ctx, 6*time.Minute, func(ctx context.Context) error {
		return errors.Join(r.WaitReady(ctx, append(r.Planes(), r.Workers()...)...), Eventually(ctx, func() error { return r.present(ctx) }))
	}); err != nil {
		return err
	}
	if err := within(ctx, 4*time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() error {
			for _, name := range r.Planes() {
				if err := errors.Join(r.whole(ctx, name), x.plane(ctx, name, want)); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			for _, name := range append(r.Planes(), r.Workers()...) {
				if err := x.shows(ctx, name, "10250", "ca", want.kubelets); err != nil {
					return fmt.Errorf("the kubelet of %s: %w", name, err)
				}
			}
			return x.published(ctx, want)
		})
	}); err != nil {
		return err
	}
	return errors.Join(within(ctx, time.Minute, x.check), proveWorkload(ctx, r))
}

// plane asks one control plane: what it trusts, what it shows, whom it lets in.
func (x *Rotation) plane(ctx context.Context, name string, want state) error {
	for i, authority := range authorities {
		found, err := x.r.certificates(name, authority)
		if err != nil {
			return err
		}
		if len(found) != len(want.files) {
			return fmt.Errorf("%s holds %d certificates, and not %d", authority, len(found), len(want.files))
		}
		for k, certificate := range found {
			if !certificate.Equal(want.files[k][i]) {
				return fmt.Errorf("%s holds another authority than it must at place %d", authority, k+1)
			}
		}
	}
	for port, authority := range map[string]string{"6443": "ca", "2379": "etcd/ca", "2380": "etcd/ca"} {
		if err := x.shows(ctx, name, port, authority, want.servers); err != nil {
			return err
		}
	}
	// 403: known, and without the right. 401: not known.
	for what, ask := range map[string]func() (int, error){
		"the administrator's certificate": func() (int, error) { return x.get(ctx, name, "6443", "ca", x.admin, "", "/api/v1/namespaces") },
		"a service account's token": func() (int, error) {
			return x.get(ctx, name, "6443", "ca", tls.Certificate{}, x.token, "/api/v1/namespaces")
		},
	} {
		status, err := ask()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if works := status != http.StatusUnauthorized; works != want.lastWorks {
			return fmt.Errorf("%s, from before the rotation, gets %d", what, status)
		}
	}
	status, err := x.get(ctx, name, "2379", "etcd/ca", x.etcd, "", "/health")
	if refused := err != nil && strings.Contains(err.Error(), "remote error: tls"); refused == want.lastWorks || err != nil && !refused {
		return fmt.Errorf("etcd and a client's certificate from before the rotation: %d %w", status, err)
	}
	return nil
}

// published wants what others learn of the authorities from the cluster: pods and
// extension API servers.
func (x *Rotation) published(ctx context.Context, want state) error {
	for _, each := range []struct{ object, field, file string }{
		{"kube-root-ca.crt", `{.data.ca\.crt}`, "ca"},
		{"extension-apiserver-authentication", `{.data.requestheader-client-ca-file}`, "front-proxy-ca"},
		{"extension-apiserver-authentication", `{.data.client-ca-file}`, "ca"},
	} {
		text, err := x.r.Kubectl(ctx, "--namespace=kube-system", "get", "configmap", each.object, "-o", "jsonpath="+each.field)
		if err != nil {
			return err
		}
		found, err := parse([]byte(text))
		if err != nil {
			return err
		}
		last, next := false, false
		for _, certificate := range found {
			last = last || certificate.Equal(x.last[each.file])
			next = next || certificate.Equal(x.next[each.file])
		}
		if !next || last != want.lastWorks {
			return fmt.Errorf("%s of %s: the last authority %v, the next one %v", each.field, each.object, last, next)
		}
	}
	return nil
}

// shows wants a server's certificate to be of a signer, and of no other authority.
func (x *Rotation) shows(ctx context.Context, name, port, authority string, by signer) error {
	m := x.r.machines[name]
	for _, each := range []struct {
		signer
		root *x509.Certificate
	}{{lastAuthority, x.last[authority]}, {nextAuthority, x.next[authority]}} {
		roots := x509.NewCertPool()
		roots.AddCert(each.root)
		connection, err := x.dial(ctx, m, port, &tls.Config{RootCAs: roots})
		if connection != nil {
			connection.Close()
		}
		unknown := x509.UnknownAuthorityError{}
		switch {
		case by == eitherAuthority && err == nil:
			return nil
		case errors.As(err, &unknown) && (by == eitherAuthority || by != each.signer):
		case err != nil:
			return fmt.Errorf("%s:%s: %w", name, port, err)
		case by != each.signer:
			return fmt.Errorf("%s:%s shows a certificate of the authority that must not sign", name, port)
		}
	}
	if by == eitherAuthority {
		return fmt.Errorf("%s:%s shows a certificate of neither authority", name, port)
	}
	return nil
}

// dial opens a connection as a control plane does: firewalls let it through.
func (x *Rotation) dial(ctx context.Context, to *running, port string, config *tls.Config) (*tls.Conn, error) {
	from := x.r.machines[x.r.Planes()[0]]
	if from == to {
		from = x.r.machines[x.r.Planes()[1%len(x.r.Planes())]]
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	plain, err := netns.DialContext(ctx, from.namespace(), "tcp", net.JoinHostPort(to.Address, port))
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ServerName, config.MinVersion = to.Address, tls.VersionTLS12
	connection := tls.Client(plain, config)
	if err := connection.HandshakeContext(ctx); err != nil {
		plain.Close()
		return nil, err
	}
	return connection, nil
}

// get asks with a credential from before the rotation, and trusts both authorities.
func (x *Rotation) get(ctx context.Context, name, port, authority string, client tls.Certificate, token, path string) (status int, err error) {
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AddCert(x.last[authority])
	config.RootCAs.AddCert(x.next[authority])
	if len(client.Certificate) > 0 {
		config.Certificates = []tls.Certificate{client}
	}
	connection, err := x.dial(ctx, x.r.machines[name], port, config)
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	transport := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return connection, nil }, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(x.r.machines[name].Address, port)+path, nil)
	if err != nil {
		return 0, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, nil
}

// certificates gives those of an authority's file on a machine, in their order.
func (r *Rehearsal) certificates(machine, name string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(r.File(machine, pkiDir+name+".crt"))
	if err != nil {
		return nil, err
	}
	return parse(data)
}

func parse(data []byte) (out []*x509.Certificate, err error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, certificate)
	}
	return out, nil
}
