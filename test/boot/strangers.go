package boot

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// proveStolenToken asks for node certificates with the token of a pool, as somebody
// would who stole it: for a machine that does not exist, for a node that exists
// already, and for a control plane. All are denied, and none is issued.
func proveStolenToken(ctx context.Context, r *Rehearsal) error {
	plane := r.Planes()[0]
	config, err := r.NodeConfig(plane)
	if err != nil {
		return err
	}
	token, err := r.token(config, config.Pools[0].Name)
	if err != nil {
		return err
	}
	worker := r.machines[r.Workers()[0]]
	for _, node := range []string{"nobody-199", worker.NodeName(), r.machines[plane].NodeName()} {
		name := "stolen-" + randomHex()
		manifest, err := request(name, node)
		if err != nil {
			return err
		}
		if _, err := r.run(ctx, worker, manifest, "/usr/bin/kubectl", "--kubeconfig=/dev/null", "--server="+config.Endpoint,
			"--certificate-authority=/etc/kubernetes/pki/ca.crt", "--token="+token, "create", "--validate=false", "--filename=-"); err != nil {
			return fmt.Errorf("the token cannot even ask, so that nothing is shown: %w", err)
		}
		err = within(ctx, 30*time.Second, func(ctx context.Context) error {
			return Eventually(ctx, func() error {
				status, err := r.Kubectl(ctx, "get", "certificatesigningrequest", name, "-o", `jsonpath={.status.conditions[*].type}/{.status.certificate}`)
				switch {
				case err != nil:
					return err
				case !strings.HasPrefix(status, "Denied"):
					return fmt.Errorf("the request for %s is %q", node, status)
				case status != "Denied/":
					return fmt.Errorf("a certificate for %s was issued", node)
				}
				return nil
			})
		})
		if err != nil {
			return errors.Join(err, fmt.Errorf("%s", r.Journal(plane, "redoubt-approve.service", 8)))
		}
	}
	return nil
}

// request is a kubelet's request for a client certificate of a node.
func request(name, node string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}}}, key)
	if err != nil {
		return "", err
	}
	encoded := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	return fmt.Sprintf(`apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: %s}
spec:
  request: %s
  signerName: kubernetes.io/kube-apiserver-client-kubelet
  usages: [digital signature, client auth]
`, name, encoded), nil
}
