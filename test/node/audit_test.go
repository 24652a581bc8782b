//go:build linux

package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/natefinch/lumberjack.v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent"
	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/components/flatcar/auditlog"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
	"github.com/redoubt-dev/redoubt/test/kubeapi"
)

// Settings of the process that [TestMain] is when a test starts it: redoubt-node
// audit-ship with a way to the played cloud, which a loopback address is the end of.
const shipperVariable = "REDOUBT_TEST_AUDIT_SHIPPER"

// TestMain lets a test start a shipper that can be killed.
func TestMain(m *testing.M) {
	if settings := os.Getenv(shipperVariable); settings != "" {
		if err := shipper(strings.Split(settings, "\n")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// shipper is the process: configuration, state directory, metadata server, address of
// the cloud, its authority.
func shipper(settings []string) error {
	authority, err := os.ReadFile(settings[4])
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, settings[3])
		}}}
	a, err := agent.New(settings[0], agent.Options{Cloud: cloud.Options{Metadata: settings[2], Client: client}, Retry: 5 * time.Millisecond, AuditEvery: 10 * time.Millisecond},
		slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Fprintln(os.Stderr, "up")
	return a.ShipAudit(ctx, settings[1])
}

// shippers starts processes that ship one log with one state, one after the other, and
// waits until each hears signals.
func (s *site) shippers(t *testing.T, instance string) func() *exec.Cmd {
	t.Helper()
	config, directory := s.config, t.TempDir()
	authority := filepath.Join(directory, "cloud.crt")
	require.NoError(t, os.WriteFile(authority, s.CA(), 0o600))
	file := writeConfig(t, config)
	settings := strings.Join([]string{file, directory, s.metadata(t, instance), s.address, authority}, "\n")
	return func() *exec.Cmd {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), shipperVariable+"="+settings)
		command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		said := &logBuffer{}
		command.Stderr = said
		require.NoError(t, command.Start())
		t.Cleanup(func() {
			kill(command)
			if t.Failed() {
				t.Logf("the shipper said:\n%s", said.tail(2000))
			}
		})
		eventually(t, "the shipper", func() error {
			if !strings.Contains(said.tail(1<<20), "up\n") {
				return errors.New("it is not up")
			}
			return nil
		})
		return command
	}
}

// audited gives what the bucket has, by name.
func (s *site) audited() map[string][]byte {
	objects := map[string][]byte{}
	for _, key := range s.Keys(auditLog) {
		objects[key], _ = s.Get(auditLog, key)
	}
	return objects
}

// onDisk gives the log as the API server left it.
func onDisk(t *testing.T, active string) []byte {
	t.Helper()
	names, err := filepath.Glob(strings.TrimSuffix(active, ".log") + "-*.log")
	require.NoError(t, err)
	var log []byte
	for _, name := range append(names, active) {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		log = append(log, data...)
	}
	return log
}

// TestAuditShipKilled: a shipper that is killed by SIGKILL again and again, at any
// moment, over a log that grows and rotates, while the store is away now and then or
// does what it is asked without an answer, stores every byte of the log once (M17, M38).
func TestAuditShipKilled(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		service, write := "s3", "PutObject"
		if s.provider == fakecloud.GCP {
			service, write = "storage", "create"
		}
		log := &lumberjack.Logger{Filename: s.config.AuditLog.File, MaxSize: 1, MaxBackups: 1000}
		defer log.Close()
		var writing sync.WaitGroup
		stop := make(chan struct{})
		writing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					_, _ = fmt.Fprintf(log, "{\"auditID\":\"%06d\",\"requestURI\":\"/api/v1/namespaces/default/secrets/%s\"}\n", n, strings.Repeat("s", 200+n%800))
				}
				if n%700 == 699 {
					_ = log.Rotate()
				}
			}
		})
		start := s.shippers(t, s.id("1"))
		for round := range 20 {
			switch round % 5 {
			case 1:
				s.Fail(service, fakecloud.Fault{Late: true, Times: 2, Match: write})
			case 2:
				s.Fail(service, fakecloud.Fault{Status: http.StatusServiceUnavailable, Times: 6})
			case 3: // as Cloud Storage may say of an object that is there
				s.Fail(service, fakecloud.Fault{Status: http.StatusForbidden, Times: 1, Match: write})
			}
			running := start()
			time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond) //nolint:gosec // any moment will do
			kill(running)
			s.Heal(service)
		}
		last := start()
		close(stop)
		writing.Wait()
		require.NoError(t, last.Process.Signal(syscall.SIGTERM))
		require.NoError(t, last.Wait(), "it stores what is left and ends")
		stored, err := auditlog.Verify(s.audited())
		assert.NoError(t, err)
		want := onDisk(t, s.config.AuditLog.File)
		assert.True(t, bytes.Equal(want, stored), "the store has %d bytes of the log, and %d were written", len(stored), len(want))
		assert.Greater(t, len(s.audited()), 3)
		for _, key := range s.Keys(auditLog) {
			assert.Equal(t, 1, s.Versions(auditLog, key), key)
			assert.True(t, strings.HasPrefix(key, nodeconfig.AuditLogPrefix+"control-plane-1/"), key)
		}
	})
}

// TestAuditLogBucket: a control plane adds to its bucket, and neither reads, replaces
// nor deletes; a worker does nothing with it (M38).
func TestAuditLogBucket(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		plane, worker := s.open(t, s.id("1")), s.open(t, s.id("2"))
		const key = "audit/control-plane-1/one.log.gz"
		require.NoError(t, put(t, plane, auditLog, key, "one", cloud.Absent))
		assert.ErrorIs(t, put(t, plane, auditLog, key, "two", cloud.Absent), cloud.ErrChanged)
		assert.ErrorIs(t, put(t, plane, auditLog, key, "two", cloud.Any), cloud.ErrDenied, "another version")
		assert.ErrorIs(t, put(t, plane, auditLog, "other/one", "one", cloud.Absent), cloud.ErrDenied)
		_, _, err := get(t, plane, auditLog, key)
		assert.ErrorIs(t, err, cloud.ErrDenied, "what has happened")
		assert.ErrorIs(t, put(t, worker, auditLog, "audit/worker/one.log.gz", "one", cloud.Absent), cloud.ErrDenied)
		_, _, err = get(t, worker, auditLog, key)
		assert.ErrorIs(t, err, cloud.ErrDenied)
		assert.Equal(t, 1, s.Versions(auditLog, key))
		text, _ := s.Get(auditLog, key)
		assert.Equal(t, "one", string(text))

		// Without the right, nothing is taken for stored.
		config := s.config
		bare := *config.AuditLog
		bare.Prefix = "other/"
		config.AuditLog = &bare
		require.NoError(t, os.MkdirAll(filepath.Dir(bare.File), 0o700))
		require.NoError(t, os.WriteFile(bare.File, []byte("event\n"), 0o600))
		said, state := &logBuffer{}, t.TempDir()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		agent := s.on(t, s.id("1"), config, said)
		go func() { ended <- agent.ShipAudit(ctx, state) }()
		assert.Eventually(t, func() bool { return strings.Contains(said.tail(1000), "is not stored") }, patience, 10*time.Millisecond)
		stop()
		assert.ErrorIs(t, <-ended, cloud.ErrDenied)
		remembered, err := os.ReadFile(filepath.Join(state, "state.json"))
		require.NoError(t, err)
		assert.Contains(t, string(remembered), `"sequence":0`)
		assert.Contains(t, string(remembered), `"pending"`)
	})
}

// TestAuditShipRefused: a store that refuses an object which it has, in words that
// stand for a missing right as well, is asked what it has (M17).
func TestAuditShipRefused(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		service, write := "s3", "PutObject"
		if s.provider == fakecloud.GCP {
			service, write = "storage", "create"
		}
		file, state := s.config.AuditLog.File, t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte("event\n"), 0o600))
		s.Fail(service, fakecloud.Fault{Late: true, Match: write})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.on(t, s.id("1"), s.config, nil).ShipAudit(ctx, state) }()
		eventually(t, "an object of which nobody was told", func() error {
			if len(s.Keys(auditLog)) == 0 {
				return errors.New("there is none")
			}
			return nil
		})
		s.Fail(service, fakecloud.Fault{Status: http.StatusForbidden, Match: write})
		eventually(t, "the shipper", func() error {
			remembered, err := os.ReadFile(filepath.Join(state, "state.json"))
			if err == nil && !bytes.Contains(remembered, []byte(`"sequence":1`)) {
				err = fmt.Errorf("it does not know: %s", remembered)
			}
			return err
		})
		cancel()
		require.NoError(t, <-done)
		log, err := auditlog.Verify(s.audited())
		assert.NoError(t, err)
		assert.Equal(t, "event\n", string(log))
	})
}

// TestAuditShipOfAnAPIServer: what a real API server records, rotating its log as it
// does, is in the bucket; who read which Secret is found there (M17).
func TestAuditShipOfAnAPIServer(t *testing.T) {
	programs(t, "etcd", "kube-apiserver")
	s := newAWS(t)
	s.instance(t, fakecloud.Instance{ID: s.id("1"), Name: "prod-control-plane-1", Role: roleControlPlane, Addresses: []string{"127.77.0.1"}})
	policyFile := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, policyFile, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse, resources: [{group: \"\", resources: [configmaps]}]}, {level: Metadata}]\n"))
	server, err := kubeapi.Start(kubeapi.Options{APIServer: []string{"--audit-log-path=" + s.config.AuditLog.File, "--audit-policy-file=" + policyFile,
		"--audit-log-maxsize=1", "--audit-log-maxbackup=100", "--audit-log-mode=blocking"}})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	config, err := server.Config()
	require.NoError(t, err)
	client := kubernetes.NewForConfigOrDie(config)
	start := s.shippers(t, s.id("1"))
	running := start()
	payload := strings.Repeat("x", 100<<10)
	for n := range 30 { // each is recorded with what was asked for and what came of it
		_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("filler-", n)},
			Data: map[string]string{"payload": payload}}, metav1.CreateOptions{})
		require.NoError(t, err)
		if n%7 == 6 {
			kill(running)
			running = start()
		}
	}
	_, err = client.CoreV1().Secrets("default").Get(t.Context(), "a-secret-that-is-watched", metav1.GetOptions{})
	require.Error(t, err, "there is none")
	eventually(t, "the event in the bucket", func() error {
		log, err := auditlog.Verify(s.audited())
		if err == nil && !bytes.Contains(log, []byte("/api/v1/namespaces/default/secrets/a-secret-that-is-watched")) {
			err = io.ErrUnexpectedEOF
		}
		return err
	})
	server.Stop() // first the API server, then the shipper, as a machine does it
	require.NoError(t, running.Process.Signal(syscall.SIGTERM))
	require.NoError(t, running.Wait())
	stored, err := auditlog.Verify(s.audited())
	require.NoError(t, err)
	rotated, err := filepath.Glob(strings.TrimSuffix(s.config.AuditLog.File, ".log") + "-*.log")
	require.NoError(t, err)
	assert.Greater(t, len(rotated), 3, "it did not rotate")
	want := onDisk(t, s.config.AuditLog.File)
	assert.True(t, bytes.Equal(want, stored), "the store has %d bytes of the log, and %d were written", len(stored), len(want))
}
