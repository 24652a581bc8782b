package hostconfig

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/kms/pkg/service"
)

// localKMS is a KMS v2 plugin with a key of its own, on a local socket.
type localKMS struct{ aead cipher.AEAD }

func newLocalKMS(t *testing.T) string {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	// A socket's path has 108 bytes at most, which t.TempDir may exceed.
	directory, err := os.MkdirTemp("", "kms")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	socket := filepath.Join(directory, "kms.sock")
	plugin := service.NewGRPCService(socket, 5*time.Second, localKMS{aead})
	go func() { _ = plugin.ListenAndServe() }()
	t.Cleanup(plugin.Shutdown)
	return "unix://" + socket
}

func (k localKMS) Encrypt(_ context.Context, _ string, data []byte) (*service.EncryptResponse, error) {
	return &service.EncryptResponse{Ciphertext: k.aead.Seal(nil, nil, data, nil), KeyID: "1"}, nil
}

func (k localKMS) Decrypt(_ context.Context, _ string, request *service.DecryptRequest) ([]byte, error) {
	return k.aead.Open(nil, nil, request.Ciphertext, nil)
}

func (k localKMS) Status(context.Context) (*service.StatusResponse, error) {
	return &service.StatusResponse{Version: "v2", Healthz: "ok", KeyID: "1"}, nil
}

// TestRealRotationOfKMS takes a real API server from secretbox to a KMS plugin
// and back, through every state.
func TestRealRotationOfKMS(t *testing.T) {
	t.Parallel()
	l := newAPILab(t, func(*ControlPlane) {})
	plugin := Encryption{Provider: EncryptionKMS, KMS: &KMS{Name: "local", Endpoint: newLocalKMS(t)}}
	local := func(name string, fill byte) Encryption {
		return Encryption{Keys: []EncryptionKey{key(name, fill, "")}}
	}
	const kms = "kms:v2:local"
	for _, each := range []struct {
		name     string
		from, to Encryption
		old, new string
	}{
		{"in", local("old", 'a'), plugin, "secretbox:v1:old", kms},
		{"out", plugin, local("new", 'b'), kms, "secretbox:v1:new"},
	} {
		var server *apiServerUnderTest
		var all []string
		running := ""
		walk(t, EncryptionRotation{From: each.from, To: each.to, Servers: []string{"a"}}, func(r EncryptionRotation, document string) {
			if document != running {
				if server != nil {
					server.stop()
				}
				server = l.serve(t, l.c.Ports.APIServer, document).ready(t)
				running = document
			}
			if r.State == EncryptionRewrite {
				server.rewriteAll(t, "secrets")
				for _, object := range all {
					l.storedBy(t, object, each.new)
				}
			}
			writer := each.old
			if indexOf(r.State) >= indexOf(EncryptionPromote) {
				writer = each.new
			}
			name := each.name + "-" + string(r.State)
			server.write(t, "secrets", name)
			all = append(all, "secrets/"+name)
			l.storedBy(t, "secrets/"+name, writer)
			server.reads(t, r.State, all...)
		})
		server.stop()
	}
}
