package flatcar

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	corev1 "k8s.io/api/core/v1"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// pinnedProgram finds a program that the repository builds.
func pinnedProgram(t testing.TB, name string) string {
	t.Helper()
	directory, chosen := os.LookupEnv("REDOUBT_BIN_DIR")
	if !chosen {
		directory = filepath.Join("..", "..", "bin")
	}
	path := must[string](t)(filepath.Abs(filepath.Join(directory, name)))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not built: run make tools-all, or set REDOUBT_BIN_DIR", name)
	}
	return path
}

// perMinor runs a test for each supported minor, with its proven version.
func perMinor(t *testing.T, test func(t *testing.T, version string)) {
	t.Helper()
	for _, minor := range hostconfig.SupportedMinors() {
		t.Run(minor.Name, func(t *testing.T) { test(t, minor.Proven) })
	}
}

// plane is a directory that stands for a machine's /etc/kubernetes.
type plane struct{ directory, scripts, kubeadm string }

// run runs a shell command with the directory in its place, the real kubeadm in
// that of the system extension, and no network, as the unit's sandbox has it.
func (p plane) run(t *testing.T, script string) (string, error) {
	t.Helper()
	const machine = `set -eu
mount -t tmpfs none /run && mkdir -p /run/etc /run/opt && cp -a /etc/. /run/etc && mkdir -p /run/etc/kubernetes
mount --bind "$1" /run/etc/kubernetes && mount --rbind /run/etc /etc
mkdir -p /run/bin && touch /run/bin/kubeadm && mount --bind "$3" /run/bin/kubeadm
PATH=/run/bin:$PATH scripts=$2
`
	command := exec.Command("unshare", "--mount", "--net", "sh", "-c", machine+script, "sh", p.directory, p.scripts, p.kubeadm)
	output, err := command.CombinedOutput()
	return string(output), err
}

// newPlane lets the real kubeadm make what it makes at init, from the rendered
// document: certificates, kubeconfigs and the manifests of the static pods.
func newPlane(t *testing.T, version string, change ...func(*Spec)) (plane, Spec) {
	t.Helper()
	root(t)
	tool(t, "unshare", "util-linux")
	s := spec(hostconfig.RoleControlPlane, hostconfig.PlatformMetal).of(version)
	for _, each := range change {
		each(&s)
	}
	s = s.WithDefaults()
	name := "kubeadm"
	if version != hostconfig.DefaultKubernetesVersion {
		name = version + "/kubeadm"
	}
	p := plane{t.TempDir(), t.TempDir(), pinnedProgram(t, name)}
	for _, file := range must[[]hostconfig.File](t)(s.files(now)) {
		if name, found := strings.CutPrefix(file.Path, "/etc/kubernetes/"); found {
			write(t, p.directory+"/"+name, file.Contents, os.FileMode(file.Mode))
		}
	}
	// The one program that lies elsewhere here.
	script := strings.ReplaceAll(contents(t, s, renewPath), kubeadmProgram+" ", "kubeadm ")
	write(t, p.scripts+"/renew", script, 0o700)
	const config = " --config=/etc/kubernetes/kubeadm.yaml"
	output, err := p.run(t, "for phase in 'certs all' 'kubeconfig all' 'control-plane all' 'etcd local'; do kubeadm init phase $phase"+config+"; done")
	if err != nil {
		t.Fatalf("kubeadm: %v: %s", err, output)
	}
	return p, s
}

// certificates reads every leaf certificate below the directory, by name, those
// inside kubeconfigs too.
func (p plane) certificates(t *testing.T) map[string]*x509.Certificate {
	t.Helper()
	found := map[string]*x509.Certificate{}
	parse := func(name string, contents []byte) {
		block, _ := pem.Decode(contents)
		if block == nil {
			t.Fatalf("%s holds no certificate", name)
		}
		if certificate := must[*x509.Certificate](t)(x509.ParseCertificate(block.Bytes)); !certificate.IsCA {
			found[name] = certificate
		}
	}
	for _, pattern := range []string{"pki/*.crt", "pki/etcd/*.crt"} {
		for _, path := range must[[]string](t)(filepath.Glob(p.directory + "/" + pattern)) {
			parse(strings.TrimPrefix(path, p.directory+"/"), []byte(read(t, path)))
		}
	}
	for _, name := range []string{"admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf"} {
		var kubeconfig clientcmdv1.Config
		if err := yaml.Unmarshal([]byte(read(t, p.directory+"/"+name)), &kubeconfig); err != nil || len(kubeconfig.AuthInfos) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		parse(name, kubeconfig.AuthInfos[0].AuthInfo.ClientCertificateData)
	}
	if len(found) != 11 {
		t.Fatalf("%d certificates: kubeadm makes 11", len(found))
	}
	return found
}

// label gives what makes the kubelet start a static pod anew.
func (p plane) label(t *testing.T, component string) string {
	t.Helper()
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict([]byte(read(t, p.directory+"/manifests/"+component+".yaml")), &pod); err != nil {
		t.Fatal(err)
	}
	return pod.Labels["redoubt.dev/credentials"]
}

// renewed fails unless every certificate is another one than before, for the same
// names, and lives no longer than a day.
func (p plane) renewed(t *testing.T, step string, before map[string]*x509.Certificate) {
	t.Helper()
	for name, certificate := range p.certificates(t) {
		old := before[name]
		if certificate.SerialNumber.Cmp(old.SerialNumber) == 0 {
			t.Errorf("%s: %s is the old one", step, name)
		}
		if life := time.Until(certificate.NotAfter); life > 24*time.Hour+time.Minute || life < 23*time.Hour {
			t.Errorf("%s: %s lives for %s", step, name, life)
		}
		if certificate.PublicKeyAlgorithm != x509.ECDSA || certificate.Subject.String() != old.Subject.String() ||
			strings.Join(certificate.DNSNames, " ") != strings.Join(old.DNSNames, " ") {
			t.Errorf("%s: %s is for %s %v with %s", step, name, certificate.Subject, certificate.DNSNames, certificate.PublicKeyAlgorithm)
		}
	}
	if _, err := os.Stat(p.directory + "/.renewal"); err == nil {
		t.Errorf("%s: the old keys were kept", step)
	}
}

// TestRenewal runs the rendered script with the real kubeadm on certificates that
// it made, without a network.
func TestRenewal(t *testing.T) { perMinor(t, renewal) }

func renewal(t *testing.T, version string) {
	p, _ := newPlane(t, version)
	before := p.certificates(t)
	etcd := read(t, p.directory+"/manifests/etcd.yaml")
	for _, round := range []string{"first", "second"} {
		labels := map[string]string{}
		for _, component := range []string{"kube-controller-manager", "kube-scheduler"} {
			labels[component] = p.label(t, component)
		}
		if output, err := p.run(t, "$scripts/renew"); err != nil {
			t.Fatalf("%s: %v: %s", round, err, output)
		}
		p.renewed(t, round, before)
		before = p.certificates(t)
		for component, old := range labels {
			if now := p.label(t, component); now == "" || now == old {
				t.Errorf("%s: %s is not started anew: %q", round, component, now)
			}
		}
	}
	if read(t, p.directory+"/manifests/etcd.yaml") != etcd || p.label(t, "kube-apiserver") != "" {
		t.Error("what reads its certificates again is started anew")
	}
	for _, path := range []string{"/pki/apiserver.key", "/controller-manager.conf", "/manifests/kube-scheduler.yaml"} {
		if info := must[os.FileInfo](t)(os.Stat(p.directory + path)); info.Mode() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
	if leftover := must[[]string](t)(filepath.Glob(p.directory + "/.*")); len(leftover) > 0 {
		t.Errorf("%v is left", leftover)
	}
}

// TestRenewalSurvivesInterruption cuts the script off after every line that
// changes something, and leaves a file half written as a power cut does; the next
// run must end as if nothing had happened.
func TestRenewalSurvivesInterruption(t *testing.T) {
	p, _ := newPlane(t, hostconfig.DefaultKubernetesVersion)
	lines := strings.Split(read(t, p.scripts+"/renew"), "\n")
	for i, line := range lines {
		word := strings.Fields(line + " #")[0]
		if !strings.Contains(" mkdir cp mv rm kubeadm sed ", " "+word+" ") {
			continue
		}
		before := p.certificates(t)
		cut := strings.Join(lines[:i+1], "\n") + "\nexit 9\n"
		for _, block := range [][2]string{{"\nif ", "\nfi\n"}, {"do\n", "done\n"}} {
			if strings.Count(cut, block[0]) > strings.Count(cut, block[1]) {
				cut += block[1]
			}
		}
		if strings.HasPrefix(line, "\tcp -a $kept/pki $kept/") { // the branch of an earlier run that was cut off
			cut = "mkdir /etc/kubernetes/.renewal && cp -a /etc/kubernetes/pki /etc/kubernetes/admin.conf /etc/kubernetes/.renewal\n" + cut
		}
		if word == "kubeadm" {
			cut = strings.Replace(cut, "\nexit 9", "\n: >controller-manager.conf\n: >pki/apiserver.crt\nexit 9", 1)
		}
		write(t, p.scripts+"/cut", cut, 0o700)
		if output, err := p.run(t, "sh $scripts/cut"); exitCode(err) != 9 {
			t.Fatalf("line %d: %v: %s", i, err, output)
		}
		if output, err := p.run(t, "$scripts/renew"); err != nil {
			t.Fatalf("after %q: %v: %s", line, err, output)
		}
		p.renewed(t, "after "+line, before)
		for _, component := range []string{"kube-controller-manager", "kube-scheduler"} {
			if p.label(t, component) == "" {
				t.Errorf("after %q: %s is not started anew", line, component)
			}
		}
	}
}

// TestRenewalComesInTime: the timer leaves at least half of a certificate's life.
func TestRenewalComesInTime(t *testing.T) {
	s := spec(hostconfig.RoleControlPlane, hostconfig.PlatformAWS)
	for _, validity := range []time.Duration{24 * time.Hour, 10 * time.Minute} {
		s.Node.ControlPlane = &hostconfig.ControlPlaneSettings{Certificates: hostconfig.CertificateLifetimes{
			ServerValidity: hostconfig.Duration{Duration: validity}, ClientValidity: hostconfig.Duration{Duration: validity},
		}}
		timer := s.Timers()[0]
		if latest := timer.Every + timer.Spread; latest > validity/2 || latest < validity/3 || timer.AfterBoot+timer.Spread > validity/2 {
			t.Errorf("certificates of %s are renewed after up to %s", validity, latest)
		}
	}
	if len(spec(hostconfig.RoleWorker, hostconfig.PlatformAWS).Timers()) != 0 {
		t.Error("a worker has nothing to renew")
	}
}
