// Package identity keeps the client certificate of a node's policy agent: the
// node asks for it with its own certificate, and the approver of the control
// plane checks that it asks for itself. The key never leaves the node, and a
// certificate lives for a day at most, of which half is left for trying again.
package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/components/local/agent/csr"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Options say whose certificate is kept, and where.
type Options struct {
	// Kubeconfig is the kubelet's: the identity of the node.
	Kubeconfig string
	// Node is the node's name.
	Node string
	// CA is the file of the cluster's authority.
	CA string
	// File takes the certificate and its key, mode 0600, in one step.
	File string
}

const (
	// lifetime is asked for; the controller-manager gives at most its own.
	lifetime = 24 * time.Hour
	// longest bounds how long a deleted file or a new authority goes unnoticed.
	longest = time.Minute
	// soon is how long to wait for the node itself to join.
	soon = 500 * time.Millisecond
	// later is how long to wait after a request that was made in vain: each one
	// is an object that stays for an hour.
	later = 10 * time.Second
	// patience bounds the wait for the answer to a request.
	patience = 30 * time.Second
)

// Run keeps the certificate until the context ends. What fails is logged and
// tried again.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	if o.Kubeconfig == "" || o.Node == "" || o.CA == "" || o.File == "" {
		return errors.New("kubeconfig, node, ca and file are required")
	}
	if err := os.MkdirAll(filepath.Dir(o.File), 0o700); err != nil {
		return err
	}
	// A file that says nothing any more must not pass for a sign of readiness.
	if flaw := o.inspect(time.Now(), 0); flaw != nil {
		if err := os.Remove(o.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	said := ""
	for {
		pause := longest
		if flaw := o.inspect(time.Now(), lifetime/2); flaw != nil {
			asked, err := o.renew(ctx)
			switch {
			case err == nil:
				log.Info("certificate issued", "file", o.File, "because", flaw.Error())
				said = ""
			case asked:
				pause = later
			default:
				pause = soon
			}
			if err != nil && ctx.Err() == nil && err.Error() != said {
				said = err.Error()
				log.Error("certificate: will be tried again", "error", said)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// inspect tells why the file does not hold a certificate that is good for at
// least the time that is asked for, or nil.
func (o Options) inspect(now time.Time, remaining time.Duration) error {
	pair, err := tls.LoadX509KeyPair(o.File, o.File)
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(o.CA)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	// The shorter of the two where the signer gives less than was asked for.
	remaining = min(remaining, pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore)/2)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now.Add(remaining), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return err
	}
	if want := o.subject(); pair.Leaf.Subject.String() != want.String() {
		return fmt.Errorf("it is %s's instead of %s's", pair.Leaf.Subject, want)
	}
	return nil
}

func (o Options) subject() pkix.Name {
	return pkix.Name{CommonName: hostconfig.UserPolicyAgent(o.Node), Organization: []string{hostconfig.GroupPolicyAgents}}
}

// renew asks for a certificate of a new key and writes both. It tells whether
// there was a request.
func (o Options) renew(ctx context.Context) (asked bool, err error) {
	client, err := csr.NewClient(o.Kubeconfig)
	if err != nil {
		return false, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return false, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: o.subject()}, key)
	if err != nil {
		return false, err
	}
	seconds := int32(lifetime / time.Second)
	made, err := client.Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "redoubt-policy-agent-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			SignerName: hostconfig.SignerPolicyAgent, ExpirationSeconds: &seconds,
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	})
	if err != nil {
		return false, err
	}
	certificate, err := await(ctx, client, made.Name)
	if err != nil {
		return true, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return true, err
	}
	return true, replace(o.File, append(certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})...))
}

// await gives the certificate of a request, or why there is none.
func await(ctx context.Context, client *csr.Client, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		now, err := client.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(now.Status.Certificate) > 0 {
			return now.Status.Certificate, nil
		}
		for _, condition := range now.Status.Conditions {
			if condition.Type == certificatesv1.CertificateDenied || condition.Type == certificatesv1.CertificateFailed {
				return nil, fmt.Errorf("request %s: %s: %s", name, condition.Type, condition.Message)
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("request %s was not answered within %s", name, patience)
		case <-time.After(soon):
		}
	}
}

// replace writes a file beside the old one and puts it in its place: whoever
// reads sees a certificate with its own key.
func replace(path string, contents []byte) error {
	staged := path + ".new"
	if err := os.Remove(staged); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(contents)
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(staged, path)
	}
	return err
}
