package kubeadm

import (
	"fmt"
	"path"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// renewalConfiguration is as much of a ClusterConfiguration as "kubeadm certs
// renew" reads. Without it kubeadm asks the API server, and where that does not
// answer it issues certificates of a year with keys of its own default.
type renewalConfiguration struct {
	typeMeta                  `json:",inline"`
	KubernetesVersion         string              `json:"kubernetesVersion"`
	CertificatesDir           string              `json:"certificatesDir"`
	CertificateValidityPeriod metav1.Duration     `json:"certificateValidityPeriod"`
	EncryptionAlgorithm       EncryptionAlgorithm `json:"encryptionAlgorithm"`
}

// Renewal gives the file for "kubeadm certs renew --config" on a control plane.
// It names no machine and holds no secret, and unlike the document of Render it
// stays: certificates are renewed for as long as the machine lives (M34).
func (s Spec) Renewal() (hostconfig.File, error) {
	s = s.WithDefaults()
	contents, err := yaml.Marshal(renewalConfiguration{
		typeMeta:          typeMeta{apiVersion, "ClusterConfiguration"},
		KubernetesVersion: s.plane().KubernetesVersion, CertificatesDir: s.plane().Paths.PKI(),
		CertificateValidityPeriod: metav1.Duration{Duration: s.leafValidity()},
		EncryptionAlgorithm:       s.EncryptionAlgorithm,
	})
	if err != nil {
		return hostconfig.File{}, fmt.Errorf("kubeadm: %w", err)
	}
	return hostconfig.File{
		Path: path.Join(s.worker().Paths.KubernetesDir(), "kubeadm-renewal.yaml"), Mode: 0o600, Owner: "root", Contents: string(contents),
	}, nil
}

// RenewEvery is how long to wait between renewals: kubeadm renews whatever it is
// asked to, so that half a certificate's life is left for attempts that fail.
func (s Spec) RenewEvery() time.Duration {
	s = s.WithDefaults()
	return min(s.leafValidity()/2, s.leafValidity()-s.plane().Certificates.RenewBefore.Duration)
}
