package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"google.golang.org/grpc"
	kmsapi "k8s.io/kms/apis/v2"
	"k8s.io/kms/pkg/service"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// kmsTimeout bounds one call of the API server, whose own bound is hostconfig.KMS's.
const kmsTimeout = 10 * time.Second

// ServeKMS is the API server's KMS v2 plugin until the context ends. It keeps no
// key and no plaintext: every call is one of the cloud's key service, so that what
// the role may do and what the key service logs is what happened.
// https://kubernetes.io/docs/tasks/administer-cluster/kms-provider/
func (a *Agent) ServeKMS(ctx context.Context) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	if a.config.KMS == nil {
		return errors.New("kms: is not set: write the key, or leave the unit out")
	}
	socket := a.config.KMS.Socket
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return err
	}
	// What a killed run left would keep the new one from listening.
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer listener.Close() // removes the socket
	if err := os.Chmod(socket, 0o600); err != nil {
		return err
	}
	server := grpc.NewServer(grpc.ConnectionTimeout(kmsTimeout))
	kmsapi.RegisterKeyManagementServiceServer(server, service.NewGRPCService(socket, kmsTimeout, plugin{a}))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	// Whoever connects from now on waits in the socket's queue at worst.
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		return err
	}
	a.log.Info("the KMS plugin listens", "socket", socket, "keys", a.config.KMS.Keys)
	select {
	case err := <-ended:
		return fmt.Errorf("the KMS plugin ended: %w", err)
	case <-ctx.Done():
	}
	// Calls that are under way end; each is bounded by its caller.
	late := time.AfterFunc(kmsTimeout, server.Stop)
	defer late.Stop()
	server.GracefulStop()
	return nil
}

// plugin is the service of one machine.
type plugin struct{ *Agent }

func (p plugin) context() map[string]string { return nodeconfig.EncryptionContext(p.config.Cluster) }

// Encrypt uses the first key.
func (p plugin) Encrypt(ctx context.Context, uid string, data []byte) (*service.EncryptResponse, error) {
	cipher, version, err := p.cloud.Encrypt(ctx, p.config.KMS.Keys[0], data, p.context())
	if err != nil {
		p.log.Error("encrypting", "uid", uid, "error", err.Error())
		return nil, err
	}
	return &service.EncryptResponse{Ciphertext: cipher, KeyID: version}, nil
}

// Decrypt uses the key that encrypted, if it is one of ours: what stands in etcd
// must not choose a key for us.
func (p plugin) Decrypt(ctx context.Context, uid string, request *service.DecryptRequest) ([]byte, error) {
	key, _, _ := strings.Cut(request.KeyID, "/cryptoKeyVersions/")
	if !slices.Contains(p.config.KMS.Keys, key) {
		err := fmt.Errorf("%q is none of this cluster's keys: add it to kms.keys if it was", request.KeyID)
		p.log.Error("decrypting", "uid", uid, "error", err.Error())
		return nil, err
	}
	plain, err := p.cloud.Decrypt(ctx, key, request.Ciphertext, p.context())
	if err != nil {
		p.log.Error("decrypting", "uid", uid, "error", err.Error())
	}
	return plain, err
}

// Status says healthy when the key encrypts and decrypts, and which version of it
// encrypts: when the cloud has rotated the key, the API server learns it here. The
// API server asks once a minute.
func (p plugin) Status(ctx context.Context) (*service.StatusResponse, error) {
	probe := []byte(rand.Text())
	cipher, version, err := p.cloud.Encrypt(ctx, p.config.KMS.Keys[0], probe, p.context())
	if err == nil {
		var plain []byte
		if plain, err = p.cloud.Decrypt(ctx, p.config.KMS.Keys[0], cipher, p.context()); err == nil && !bytes.Equal(plain, probe) {
			err = errors.New("the key gives back something else than it was given")
		}
	}
	if err != nil {
		p.log.Error("the key service", "error", err.Error())
		return nil, err
	}
	return &service.StatusResponse{Version: "v2", Healthz: "ok", KeyID: version}, nil
}
