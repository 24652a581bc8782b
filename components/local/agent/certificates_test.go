package agent

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/components/internal/filepair"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

func duration(d time.Duration) hostconfig.Duration { return metav1.Duration{Duration: d} }

// writeAuthority makes an authority at a prefix, in place of any that is there.
func writeAuthority(t *testing.T, prefix string, validity time.Duration) {
	t.Helper()
	certPEM, keyPEM, err := pki.NewAuthority(filepath.Base(prefix), validity)
	if err != nil {
		t.Fatal(err)
	}
	write(t, prefix+".crt", certPEM)
	write(t, prefix+".key", keyPEM)
}

func write(t *testing.T, path string, contents []byte) {
	t.Helper()
	if err := os.WriteFile(path, contents, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	contents, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(contents)
}

// bench is a configuration with one server certificate, an issuer whose clock the
// test sets, and what the issuer logs.
type bench struct {
	config hostconfig.AgentConfig
	issuer *issuer
	clock  time.Time
	log    bytes.Buffer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	directory := t.TempDir()
	at := func(name string) string { return filepath.Join(directory, name) }
	writeAuthority(t, at("ca"), 365*24*time.Hour)
	b := &bench{clock: time.Now()}
	b.config = hostconfig.AgentConfig{
		APIServer: "https://127.0.0.1:6443", ClusterCA: at("ca"), Kubeconfig: at("agent.conf"), ReadyFile: at(".ready"),
		Certificates: []hostconfig.LeafCertificate{{
			Name: "apiserver", CA: at("ca"), CertFile: at("apiserver.crt"), KeyFile: at("apiserver.key"),
			CommonName: "kube-apiserver", DNSNames: []string{"kubernetes"}, IPAddresses: []string{"127.0.0.1"}, Server: true,
			Validity: duration(24 * time.Hour), RenewBefore: duration(12 * time.Hour),
		}},
	}
	b.issuer = newIssuer(slog.New(slog.NewTextHandler(&b.log, nil)))
	b.issuer.now = func() time.Time { return b.clock }
	return b
}

// pass makes a pass and returns the certificate file's contents.
func (b *bench) pass(t *testing.T) string {
	t.Helper()
	if err := b.issuer.pass(b.config); err != nil {
		t.Fatal(err)
	}
	leaf := b.config.Certificates[0]
	if _, err := tls.LoadX509KeyPair(leaf.CertFile, leaf.KeyFile); err != nil {
		t.Fatal(err)
	}
	return read(t, leaf.CertFile)
}

func TestCertificateIsReplacedWhenNeededOnly(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*testing.T, *bench)
		because string // empty: it must stay
	}{
		"nothing happened":         {func(t *testing.T, b *bench) {}, ""},
		"just before renewal":      {func(t *testing.T, b *bench) { b.clock = b.clock.Add(12*time.Hour - 2*time.Second) }, ""},
		"renewal is due":           {func(t *testing.T, b *bench) { b.clock = b.clock.Add(12*time.Hour + 2*time.Second) }, "in less than 12h"},
		"it expired while stopped": {func(t *testing.T, b *bench) { b.clock = b.clock.Add(72 * time.Hour) }, "expired at"},
		"the clock jumped back":    {func(t *testing.T, b *bench) { b.clock = b.clock.Add(-time.Hour) }, "has not come yet"},
		"deleted":                  {func(t *testing.T, b *bench) { remove(t, b.config.Certificates[0].CertFile) }, "it is missing"},
		"key deleted":              {func(t *testing.T, b *bench) { remove(t, b.config.Certificates[0].KeyFile) }, "its key is missing"},
		"emptied by a full disk":   {func(t *testing.T, b *bench) { write(t, b.config.Certificates[0].CertFile, nil) }, "no PEM block"},
		"key of another certificate": {func(t *testing.T, b *bench) {
			other, _, err := pki.NewServiceAccountKey()
			if err != nil {
				t.Fatal(err)
			}
			write(t, b.config.Certificates[0].KeyFile, other)
		}, "its key belongs to another certificate"},
		"authority replaced": {func(t *testing.T, b *bench) { writeAuthority(t, b.config.ClusterCA, 365*24*time.Hour) }, "not signed by the present authority"},
		"an address added":   {func(t *testing.T, b *bench) { addAddress(b, "10.83.0.2") }, "IP addresses"},
		"a group taken away": {func(t *testing.T, b *bench) { b.config.Certificates[0].Organizations = []string{"x"} }, "organization"},
		"a usage added":      {func(t *testing.T, b *bench) { b.config.Certificates[0].Client = true }, "extended key usage"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			before := b.pass(t)
			b.log.Reset()
			test.change(t, b)
			after := b.pass(t)
			if changed := before != after; changed != (test.because != "") {
				t.Errorf("replaced: %v, want %v", changed, test.because != "")
			}
			if logged := b.log.String(); !strings.Contains(logged, test.because) || (test.because == "") != (logged == "") {
				t.Errorf("logged %q, want the reason %q", logged, test.because)
			}
			if again := b.pass(t); again != after {
				t.Error("the next pass replaced it again")
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func addAddress(b *bench, address string) {
	b.config.Certificates[0].IPAddresses = append(b.config.Certificates[0].IPAddresses, address)
}

// TestCertificateEndingWithItsAuthority must not be issued anew at every pass.
func TestCertificateEndingWithItsAuthority(t *testing.T) {
	b := newBench(t)
	writeAuthority(t, b.config.ClusterCA, 6*time.Hour) // less than renewBefore
	first := b.pass(t)
	for range 3 {
		b.clock = b.clock.Add(time.Hour)
		if b.pass(t) != first {
			t.Fatal("issued again although it cannot last longer")
		}
	}
	if count := strings.Count(b.log.String(), "replace the authority"); count != 1 {
		t.Errorf("the remedy was logged %d times, want once", count)
	}
	b.clock = b.clock.Add(4 * time.Hour)
	if err := b.issuer.pass(b.config); err == nil || !strings.Contains(err.Error(), "replace the authority") {
		t.Errorf("after the authority's end: %v", err)
	}
}

func TestModesAndLeftovers(t *testing.T) {
	b := newBench(t)
	leaf := &b.config.Certificates[0]
	leaf.CertFile = filepath.Join(filepath.Dir(leaf.CertFile), "below", "apiserver.crt") // made if it is not there
	leaf.KeyFile = filepath.Join(filepath.Dir(leaf.CertFile), "apiserver.key")
	b.pass(t)
	// What a killed attempt leaves, and what a careless hand does.
	stale := filepath.Join(filepath.Dir(leaf.KeyFile), ".apiserver.key.new-123")
	write(t, stale, []byte("half a key"))
	if err := os.Chmod(leaf.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	b.pass(t)
	mode(t, leaf.KeyFile, 0o600)
	mode(t, leaf.CertFile, 0o644)
	remove(t, leaf.CertFile)
	b.pass(t)
	entries, err := os.ReadDir(filepath.Dir(leaf.KeyFile))
	if err != nil || len(entries) != 2 {
		t.Errorf("the directory holds %v, %v; want the pair alone", entries, err)
	}
}

func mode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != want {
		t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, want)
	}
}

// TestOneFailureDoesNotKeepOthersBack has a broken certificate before a good one.
func TestOneFailureDoesNotKeepOthersBack(t *testing.T) {
	b := newBench(t)
	good := b.config.Certificates[0]
	broken, unowned := good, good
	broken.Name, broken.CA = "broken", good.CA+"-missing"
	unowned.Name, unowned.Owner = "unowned", "no-such-user"
	b.config.Certificates = []hostconfig.LeafCertificate{broken, unowned, good}
	err := b.issuer.pass(b.config)
	for _, want := range []string{"ca-missing.crt", `owner "no-such-user"`, "add the user"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	if _, err := tls.LoadX509KeyPair(good.CertFile, good.KeyFile); err != nil {
		t.Error(err)
	}
}

// TestReadersDuringSwap reads all the time, as the API server and etcd do, while the
// pair is swapped many times. A reader may find a pair that does not match, and
// reads again; it must never find a file missing, empty or half written, and the
// pair must soon match.
func TestReadersDuringSwap(t *testing.T) {
	b := newBench(t)
	b.pass(t)
	leaf := b.config.Certificates[0]
	stop := make(chan struct{})
	var reader sync.WaitGroup
	var failure error
	reads := 0
	reader.Go(func() {
		var since time.Time // since when the pair does not match
		for {
			select {
			case <-stop:
				return
			default:
			}
			reads++
			_, err := tls.LoadX509KeyPair(leaf.CertFile, leaf.KeyFile)
			switch {
			case err == nil:
				since = time.Time{}
			case !strings.Contains(err.Error(), "private key does not match"):
				failure = err
				return
			case since.IsZero():
				since = time.Now()
			case time.Since(since) > 10*time.Second: // the writer may wait for a processor in between
				failure = fmt.Errorf("for ten seconds: %w", err)
				return
			}
		}
	})
	for range 50 {
		b.clock = b.clock.Add(13 * time.Hour)
		b.pass(t)
	}
	close(stop)
	reader.Wait()
	if failure != nil || reads == 0 {
		t.Errorf("after %d reads: %v", reads, failure)
	}
}

// TestKeyIsSwappedFirst stops a swap between its two steps, as a crash would: what
// is there then must be the new key beside the old certificate, never the other way
// round, and the next pass must mend it.
func TestKeyIsSwappedFirst(t *testing.T) {
	b := newBench(t)
	leaf := b.config.Certificates[0]
	obstacle := filepath.Join(leaf.CertFile, "obstacle")
	if err := os.MkdirAll(obstacle, 0o755); err != nil { // a name that cannot be replaced
		t.Fatal(err)
	}
	o, err := filepair.LookupOwner("")
	if err != nil {
		t.Fatal(err)
	}
	if err := filepair.WritePair(leaf.CertFile, leaf.KeyFile, []byte("certificate"), []byte("key"), o); err == nil {
		t.Fatal("the obstacle did not stop the swap")
	}
	if read(t, leaf.KeyFile) != "key" {
		t.Error("the certificate is swapped before the key")
	}
	remove(t, obstacle)
	remove(t, leaf.CertFile)
	b.pass(t)
}

func TestIntervalLeavesTimeForRetries(t *testing.T) {
	config := hostconfig.AgentConfig{Certificates: []hostconfig.LeafCertificate{{RenewBefore: duration(12 * time.Hour)}}}
	if have := interval(config); have != time.Minute {
		t.Errorf("interval %v, want at most a minute", have)
	}
	config.Certificates = append(config.Certificates, hostconfig.LeafCertificate{RenewBefore: duration(2 * time.Minute)})
	if have := interval(config); have != 12*time.Second {
		t.Errorf("interval %v, want a tenth of the shortest renewal period", have)
	}
}
