package selfmanaged

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// kubeadmOf finds the pinned kubeadm of a version.
func kubeadmOf(t *testing.T, version string) string {
	t.Helper()
	name := "kubeadm"
	if version != hostconfig.DefaultKubernetesVersion {
		name = filepath.Join(version, name)
	}
	directory, chosen := os.LookupEnv("REDOUBT_BIN_DIR")
	if !chosen {
		directory = filepath.Join("..", "..", "bin")
	}
	found := must[string](t)(filepath.Abs(filepath.Join(directory, name)))
	if _, err := os.Stat(found); err != nil {
		t.Skipf("%s is not built: %v; run make tools-all, or set REDOUBT_BIN_DIR", name, err)
	}
	return found
}

// perMinor runs a test for each supported minor, with its proven version.
func perMinor(t *testing.T, test func(t *testing.T, version string)) {
	t.Helper()
	for _, minor := range hostconfig.SupportedMinors() {
		t.Run(minor.Name, func(t *testing.T) { test(t, minor.Proven) })
	}
}

// fileOf gives a file of a machine.
func fileOf(t *testing.T, m Machine, path string) hostconfig.File {
	t.Helper()
	for _, file := range m.Spec.Parts.Files {
		if file.Path == path {
			return file
		}
	}
	t.Fatalf("%s has no %s", m.Name, path)
	return hostconfig.File{}
}

// TestKubeadmValidates asks the real program, which refuses unknown fields.
func TestKubeadmValidates(t *testing.T) {
	perMinor(t, func(t *testing.T, version string) {
		kubeadm := kubeadmOf(t, version)
		for name, s := range specs() {
			planes := must[Rendering](t)(s.of(version).Render(now)).ControlPlanes
			m := planes[len(planes)-1]
			documents := map[string]string{initPath: fileOf(t, m, initPath).Contents}
			if len(planes) > 1 {
				// kubeadm wants the discovery file to be there.
				discovery := filepath.Join(t.TempDir(), "join.conf")
				write(t, discovery, "", 0o600)
				documents[joinPath] = strings.ReplaceAll(fileOf(t, m, joinPath).Contents, "/etc/kubernetes/join.conf", discovery)
			}
			for path, contents := range documents {
				file := filepath.Join(t.TempDir(), "kubeadm.yaml")
				write(t, file, contents, 0o600)
				output, err := exec.Command(kubeadm, "config", "validate", "--config", file).CombinedOutput()
				if err != nil || strings.TrimSpace(string(output)) != "ok" {
					t.Errorf("%s: %s: %v: %s", name, path, err, output)
				}
			}
		}
	})
}

// pair is an authority as the provisioner makes it.
type pair struct {
	certificate *x509.Certificate
	crt, key    string
}

func newPair(t *testing.T, name string) pair {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	serial := must[*big.Int](t)(rand.Int(rand.Reader, big.NewInt(1<<62)))
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name, OrganizationalUnit: []string{serial.String()}}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(5, 0, 0), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCRLSign}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	private := must[[]byte](t)(x509.MarshalECPrivateKey(key))
	return pair{must[*x509.Certificate](t)(x509.ParseCertificate(der)), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))}
}

func (p pair) public(t *testing.T) string {
	t.Helper()
	der := must[[]byte](t)(x509.MarshalPKIXPublicKey(p.certificate.PublicKey))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// recoverStubs are what the script asks besides kubeadm, and those of its phases
// that need a cluster.
const recoverStubs = `
mount -t tmpfs none /run && mkdir -p /run/etc /run/bin && cp -a /etc/. /run/etc && mkdir -p /run/etc/kubernetes
mount --bind "$1/kubernetes" /run/etc/kubernetes && mount --rbind /run/etc /etc
mount -t tmpfs none /var/lib && mkdir -p /var/lib/redoubt/volume /var/lib/etcd/member
mount -t tmpfs none /opt && mkdir -p /opt/redoubt/bin
echo "prod control-plane-2" >/var/lib/redoubt/volume/member
for each in systemctl curl sleep; do printf '#!/bin/sh\n' >/run/bin/$each; done
printf '#!/bin/sh\necho kubelet >/etc/kubernetes/kubelet.conf\n' >/opt/redoubt/bin/redoubt-node
cat >/run/bin/kubeadm <<EOF
#!/bin/sh
case "\$*" in
*upload-config* | *addon* | *mark-control-plane*) echo "\$*" >>$1/asked ;;
*) exec $2 "\$@" ;;
esac
EOF
chmod 0755 /run/bin/* /opt/redoubt/bin/*
PATH=/run/bin:$PATH
. "$1/script"
`

// TestRecovery runs the rendered script on a new machine whose volume has a member,
// with the real kubeadm: from the authorities alone it makes everything else,
// signed by what signs, also in the middle of a rotation.
func TestRecovery(t *testing.T) {
	root(t)
	unshare := tool(t, "unshare", "util-linux")
	old := map[string]pair{"ca": newPair(t, "kubernetes"), "etcd/ca": newPair(t, "etcd-ca"), "front-proxy-ca": newPair(t, "front-proxy-ca"), "sa": newPair(t, "sa")}
	next := map[string]pair{"ca": newPair(t, "kubernetes"), "etcd/ca": newPair(t, "etcd-ca"), "front-proxy-ca": newPair(t, "front-proxy-ca"), "sa": newPair(t, "sa")}
	perMinor(t, func(t *testing.T, version string) {
		kubeadm := kubeadmOf(t, version)
		for name, step := range map[string]struct{ signs, trusted map[string]pair }{
			"one authority": {old, nil}, "next one trusted": {old, next}, "next one signs": {next, old},
		} {
			if version != hostconfig.DefaultKubernetesVersion && step.trusted == nil {
				continue // the others have all of it and more
			}
			d := t.TempDir()
			bundle := map[string]string{}
			for file, own := range step.signs {
				crt, suffix := own.crt, ".crt"
				if file == "sa" {
					crt, suffix = own.public(t), ".pub"
				}
				if other, found := step.trusted[file]; found {
					if file == "sa" {
						crt += other.public(t)
					} else {
						crt += other.crt
					}
				}
				bundle[file+suffix] = crt
				write(t, d+"/kubernetes/pki/"+file+suffix, crt, 0o644)
				write(t, d+"/kubernetes/pki/"+file+".key", own.key, 0o600)
			}
			s := aws().of(version)
			s.Cluster.CACertificate = bundle["ca.crt"]
			m := must[Rendering](t)(s.Render(now)).ControlPlanes[1]
			for _, file := range m.Spec.Parts.Files {
				if rest, found := strings.CutPrefix(file.Path, "/etc/kubernetes/"); found {
					write(t, d+"/kubernetes/"+rest, file.Contents, os.FileMode(file.Mode))
				}
			}
			write(t, d+"/script", strings.ReplaceAll(fileOf(t, m, controlPlaneScript).Contents, kubeadmProgram, "kubeadm"), 0o700)
			output, err := exec.Command(unshare, "--mount", "--net", "sh", "-euc", recoverStubs, "sh", d, kubeadm).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v: %s", name, err, output)
			}
			recovered(t, name, d, step.signs, bundle)
		}
	})
}

// recovered judges what kubeadm made.
func recovered(t *testing.T, name, d string, signs map[string]pair, bundle map[string]string) {
	t.Helper()
	for file, contents := range bundle {
		if read(t, d+"/kubernetes/pki/"+file) != contents {
			t.Errorf("%s: %s was changed", name, file)
		}
	}
	for leaf, authority := range map[string]string{"apiserver": "ca", "apiserver-kubelet-client": "ca", "apiserver-etcd-client": "etcd/ca",
		"etcd/server": "etcd/ca", "etcd/peer": "etcd/ca", "etcd/healthcheck-client": "etcd/ca", "front-proxy-client": "front-proxy-ca"} {
		signed(t, name+": "+leaf, []byte(read(t, d+"/kubernetes/pki/"+leaf+".crt")), signs[authority])
	}
	for _, each := range []string{"admin", "controller-manager", "scheduler"} {
		var config clientcmdv1.Config
		must[any](t)(nil, yaml.Unmarshal([]byte(read(t, d+"/kubernetes/"+each+".conf")), &config))
		signed(t, name+": "+each, config.AuthInfos[0].AuthInfo.ClientCertificateData, signs["ca"])
		if each != "admin" && config.Clusters[0].Cluster.Server != "https://10.80.2.10:6443" {
			t.Errorf("%s: %s asks %s", name, each, config.Clusters[0].Cluster.Server)
		}
	}
	for _, each := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		if read(t, d+"/kubernetes/manifests/"+each+".yaml") == "" {
			t.Errorf("%s: no %s", name, each)
		}
	}
	// The controller manager reads a file of signers that has more than one as none.
	manager := read(t, d+"/kubernetes/manifests/kube-controller-manager.yaml")
	signer := read(t, d+"/kubernetes/pki/signer.crt")
	if strings.Count(manager, "cert-file="+signerPath+"\n") != 2 || strings.Count(signer, "BEGIN CERTIFICATE") != 1 {
		t.Errorf("%s: the controller manager signs with: %s", name, signer)
	}
	signed(t, name+": signer", []byte(signer), signs["ca"])
	if strings.Count(manager, "--root-ca-file=/etc/kubernetes/pki/ca.crt") != 1 {
		t.Errorf("%s: pods trust something else than the whole bundle", name)
	}
	asked := read(t, d+"/asked")
	for _, phase := range []string{"upload-config all", "addon coredns", "addon kube-proxy", "mark-control-plane"} {
		if !strings.Contains(asked, "init phase "+phase+" --config="+initPath) {
			t.Errorf("%s: %s is missing", name, phase)
		}
	}
	if _, err := os.Stat(d + "/kubernetes/super-admin.conf"); err == nil {
		t.Errorf("%s: there is a credential with all rights", name)
	}
}

// signed wants a certificate of an authority.
func signed(t *testing.T, what string, contents []byte, by pair) {
	t.Helper()
	block, _ := pem.Decode(contents)
	if block == nil {
		t.Errorf("%s is no certificate", what)
		return
	}
	certificate := must[*x509.Certificate](t)(x509.ParseCertificate(block.Bytes))
	if err := certificate.CheckSignatureFrom(by.certificate); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if life := certificate.NotAfter.Sub(certificate.NotBefore); !certificate.IsCA && life > 25*time.Hour+time.Minute { // kubeadm begins an hour early
		t.Errorf("%s lives for %s (M34)", what, life)
	}
}
