package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	kmsapi "k8s.io/kms/apis/v2"

	"github.com/redoubt-dev/redoubt/components/internal/reencrypt"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

const (
	// encryptionName is that of the ConfigMap in kube-system that tells people what is
	// stored under which key, and of the Lease of whoever writes it.
	encryptionName = "redoubt-encryption"
	// writersKey precedes, in etcd itself and outside of what the API server has there,
	// a control plane's name: with which key its API server writes. Nobody who has
	// rights in the cluster alone can say it for another one.
	writersKey = "redoubt.dev/encryption/"
	// writersLease is for how long that holds: three runs of the timer.
	writersLease = 35 * time.Minute
	// rewriteFor is how much of the lock's time goes into rewriting; the rest is for
	// counting.
	rewriteFor = 8 * time.Minute
)

// Reencrypt has the API server write anew whatever etcd holds under another key than
// the one that writes, in all encrypted resources, and tells in a ConfigMap what is
// stored under which key.
//
// Nothing is rewritten before every control plane has said that it writes with the
// same key: until then one of them might be unable to read what another one wrote, and
// they would rewrite each other's objects for ever. A run that is killed has done no
// harm; the next one goes on with what is left.
func (a *Agent) Reencrypt(ctx context.Context) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	encryption, err := a.encryption()
	if err != nil {
		return err
	}
	writer := reencrypt.Writer(encryption)
	if encryption.Provider == hostconfig.EncryptionKMS {
		if writer.ID, err = pluginKey(ctx, encryption.KMS.Endpoint); err != nil {
			return err
		}
	}
	own, _ := a.config.Own()
	etcd, err := a.etcdClient(etcdURL(own))
	if err != nil {
		return err
	}
	defer etcd.Close()
	if err := a.state(ctx, etcd, writer); err != nil {
		return err
	}
	config, client, err := a.as(nodeconfig.UserEncryption)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	return a.locked(ctx, encryptionLock, config, client, func(ctx context.Context) error {
		trace, err := a.writers(ctx, etcd, writer)
		if err != nil {
			return err
		}
		rewriter := reencrypt.Rewriter{Etcd: etcd, Config: config, Client: client, Until: time.Now().Add(rewriteFor), Log: a.log}
		if err := trace.run(ctx, rewriter, encryption.Resources); err != nil {
			return err
		}
		return errors.Join(a.publish(ctx, config, client, trace), trace.judge(a.log))
	})
}

// encryption is how this machine's API server encrypts: what it was started with,
// because it does not read the file again.
func (a *Agent) encryption() (hostconfig.Encryption, error) {
	document, err := os.ReadFile(a.config.Encryption)
	if err != nil {
		return hostconfig.Encryption{}, err
	}
	encryption, err := hostconfig.ParseEncryption(string(document)) // whose errors quote no key
	if err != nil {
		return hostconfig.Encryption{}, fmt.Errorf("%s: %w", a.config.Encryption, err)
	}
	return encryption.WithDefaults(), nil
}

// pluginKey asks the KMS plugin with which of its keys it encrypts, as the API server
// does once a minute.
func pluginKey(ctx context.Context, endpoint string) (string, error) {
	connection, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*kmsTimeout) // it encrypts and decrypts
	defer cancel()
	status, err := kmsapi.NewKeyManagementServiceClient(connection).Status(ctx, &kmsapi.StatusRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return "", fmt.Errorf("asking the KMS plugin for its key: %w", err)
	}
	if status.Healthz != "ok" || status.KeyId == "" {
		return "", fmt.Errorf("the KMS plugin is ill: %q", status.Healthz)
	}
	return status.KeyId, nil
}

// state says in etcd with which key this machine's API server writes.
func (a *Agent) state(ctx context.Context, etcd *clientv3.Client, writer reencrypt.Key) error {
	value, err := json.Marshal(writer)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	lease, err := etcd.Grant(ctx, int64(writersLease.Seconds()))
	if err == nil {
		_, err = etcd.Put(ctx, writersKey+a.config.Node, string(value), clientv3.WithLease(lease.ID))
	}
	if err != nil {
		return fmt.Errorf("saying with which key this machine writes: %w", err)
	}
	return nil
}

// writers reads what all control planes have said.
func (a *Agent) writers(ctx context.Context, etcd *clientv3.Client, writer reencrypt.Key) (*trace, error) {
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	found, err := etcd.Get(ctx, writersKey, clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("reading with which keys control planes write: %w", err)
	}
	said := map[string]reencrypt.Key{}
	for _, kv := range found.Kvs {
		var key reencrypt.Key
		if err := json.Unmarshal(kv.Value, &key); err == nil { // another form is another version's, and counts as nothing said
			said[strings.TrimPrefix(string(kv.Key), writersKey)] = key
		}
	}
	t := &trace{node: a.config.Node, at: a.now(), writer: writer, agreed: true}
	for _, plane := range a.config.ControlPlanes {
		key, there := said[plane.Name]
		text := key.String()
		if !there {
			text = "has not said it yet"
		}
		t.writers = append(t.writers, plane.Name+": "+text)
		t.agreed = t.agreed && there && key == writer
	}
	return t, nil
}
