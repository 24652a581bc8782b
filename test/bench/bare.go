// Package bench measures ratios in one run: what Redoubt takes over what the
// same programs take without it. A ratio holds on a slow machine and on a fast
// one; a time in seconds does not.
package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/agent"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// bare is a control plane without Redoubt: files that are already there, and a
// shell script that starts the four programs at once.
type bare struct {
	script    string
	readyz    string
	authority []byte
}

// barePort is where the bare programs' ports begin; nothing else in this
// repository uses them.
const barePort = 26443

// newBare writes everything that the script needs.
func newBare(dir, programs string) (*bare, error) {
	spec := hostconfig.ControlPlane{
		ClusterName: "bare", Name: "bare", KubernetesVersion: "v1.35.4", Paths: hostconfig.Paths{Root: dir},
		Ports:            hostconfig.Ports{APIServer: barePort, EtcdClient: barePort + 1, EtcdPeer: barePort + 2, EtcdMetrics: barePort + 3, ControllerManager: barePort + 4, Scheduler: barePort + 5},
		AdvertiseAddress: "127.0.0.1", BindAddress: "127.0.0.1", SANs: []string{"127.0.0.1"},
		ServiceCIDR: "10.82.0.0/20", PodCIDR: "10.81.0.0/16",
		Encryption: hostconfig.Encryption{Keys: []hostconfig.EncryptionKey{{Name: "key-1", Secret: base64.StdEncoding.EncodeToString(make([]byte, 32))}}},
	}.WithDefaults()
	if err := spec.Validate(time.Now()); err != nil {
		return nil, err
	}
	b := &bare{readyz: fmt.Sprintf("https://127.0.0.1:%d/readyz", barePort)}
	if err := b.writePKI(spec); err != nil {
		return nil, err
	}
	files, err := spec.Files()
	if err != nil {
		return nil, err
	}
	encryption, err := spec.Encryption.Configuration()
	if err != nil {
		return nil, err
	}
	files = append(files, hostconfig.File{Path: spec.Paths.Encryption(), Contents: encryption})
	for _, f := range files {
		if err := write(f.Path, f.Contents); err != nil {
			return nil, err
		}
	}
	for _, path := range []string{spec.Paths.EtcdData(), filepath.Dir(spec.Paths.AuditLog())} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
	}
	var script strings.Builder
	for program, args := range map[string][]string{
		"etcd": spec.EtcdArgs(), "kube-apiserver": spec.APIServerArgs(),
		"kube-controller-manager": spec.ControllerManagerArgs(), "kube-scheduler": spec.SchedulerArgs(),
	} {
		fmt.Fprintf(&script, "'%s' '%s' >'%s' 2>&1 &\n", filepath.Join(programs, program), strings.Join(args, "' '"), filepath.Join(dir, program+".log"))
	}
	script.WriteString("wait\n")
	b.script = filepath.Join(dir, "start")
	return b, write(b.script, script.String())
}

// writePKI makes the authorities and every leaf certificate.
func (b *bare) writePKI(spec hostconfig.ControlPlane) error {
	authorities := map[string]*pki.Authority{}
	for _, leaf := range spec.LeafCertificates() {
		authority, known := authorities[leaf.CA]
		if !known {
			certificate, key, err := pki.NewAuthority(filepath.Base(leaf.CA), time.Hour)
			if err != nil {
				return err
			}
			if authority, err = pki.ParseAuthority(certificate, key); err != nil {
				return err
			}
			authorities[leaf.CA] = authority
			if err := write(leaf.CA+".crt", string(certificate)); err != nil {
				return err
			}
			if err := write(leaf.CA+".key", string(key)); err != nil {
				return err
			}
			if leaf.CA == filepath.Join(spec.Paths.PKI(), "ca") {
				b.authority = certificate
			}
			if filepath.Dir(leaf.CA) == spec.Paths.EtcdPKI() {
				if err := write(filepath.Join(spec.Paths.PKI(), "etcd-ca.crt"), string(certificate)); err != nil {
					return err
				}
			}
		}
		certificate, key, err := pki.Issue(authority, agent.LeafRequest(leaf))
		if err != nil {
			return err
		}
		if err := write(leaf.CertFile, string(certificate)); err != nil {
			return err
		}
		if err := write(leaf.KeyFile, string(key)); err != nil {
			return err
		}
	}
	private, public, err := pki.NewServiceAccountKey()
	if err != nil {
		return err
	}
	if err := write(filepath.Join(spec.Paths.PKI(), "sa.key"), string(private)); err != nil {
		return err
	}
	return write(filepath.Join(spec.Paths.PKI(), "sa.pub"), string(public))
}

// start runs the script and returns how long the API server took to be ready.
func (b *bare) start(ctx context.Context) (time.Duration, error) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b.authority)
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	command := exec.CommandContext(ctx, "/bin/sh", b.script)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	begin := time.Now()
	if err := command.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait()
	}()
	for time.Since(begin) < time.Minute {
		if response, err := client.Get(b.readyz); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return time.Since(begin), nil
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return 0, fmt.Errorf("the bare API server was not ready within a minute; its logs are beside %s", b.script)
}

func write(path, contents string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(contents), 0o600)
}
