package boot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
	kmsv2 "k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2/v2"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// storedUnder reads from etcd itself under which key each Secret is: the provider, the
// key's name and, for a plugin, its id. It reads the API server's format by the API
// server's own type, and shares nothing with the program that is judged.
func (r *Rehearsal) storedUnder(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client, err := r.etcd(ctx, r.Planes()[0])
	if err != nil {
		return nil, err
	}
	defer client.Close()
	found, err := client.Get(ctx, "/registry/secrets/", clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	under := map[string]string{}
	for _, kv := range found.Kvs {
		parts := bytes.SplitN(kv.Value, []byte(":"), 6)
		if len(parts) != 6 || string(parts[0]) != "k8s" || string(parts[1]) != "enc" {
			return nil, fmt.Errorf("%s is not encrypted", kv.Key)
		}
		name := string(parts[2]) + " " + string(parts[4])
		if string(parts[2]) == "kms" {
			var object kmsv2.EncryptedObject
			if err := proto.Unmarshal(parts[5], &object); err != nil {
				return nil, fmt.Errorf("%s: %w", kv.Key, err)
			}
			name += " " + object.KeyID
		}
		under[string(kv.Key)] = name
	}
	return under, nil
}

// alone wants all Secrets under one key, and tells how many there are.
func (r *Rehearsal) alone(ctx context.Context, key string) (int, error) {
	under, err := r.storedUnder(ctx)
	if err != nil {
		return 0, err
	}
	for object, its := range under {
		if its != key {
			return 0, fmt.Errorf("%s is under %q, and not under %q", object, its, key)
		}
	}
	return len(under), nil
}

// reencrypt lets every control plane's unit run now, as its timer would within ten
// minutes, until what is published says that everything is under the key. Runs may
// fail: API servers learn within a minute that the cloud's key has another version.
func (r *Rehearsal) reencrypt(ctx context.Context, key string) error {
	err := within(ctx, 5*time.Minute, func(ctx context.Context) error {
		return Eventually(ctx, func() (unfinished error) {
			defer func() {
				if unfinished == nil {
					return
				}
				select { // not as often as systemd refuses to start a unit
				case <-ctx.Done():
				case <-time.After(3 * time.Second):
				}
			}()
			var failed []error
			for _, name := range r.Planes() {
				if _, err := r.Run(ctx, name, "systemctl", "start", reencryptUnit+".service"); err != nil {
					failed = append(failed, err)
				}
			}
			told, err := r.Kubectl(ctx, "--namespace=kube-system", "get", "configmap", "redoubt-encryption", "-o", "jsonpath={.data.rewritten} {.data.writers}")
			switch {
			case err != nil:
				return errors.Join(append(failed, err)...)
			case !strings.HasPrefix(told, "true ") || strings.Count(told, ": "+key) != len(r.Planes()):
				return errors.Join(append(failed, fmt.Errorf("what is published: %s", told))...)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, r.Journal(r.Planes()[0], reencryptUnit+".service", 10))
	}
	return nil
}

const reencryptUnit = "redoubt-reencrypt"

// held makes Secrets, and gives a check that each can be read with what it held, from
// every API server.
func (r *Rehearsal) held(ctx context.Context, count int) (check func(context.Context) error, err error) {
	values := map[string]string{}
	for range count {
		name, value := "held-"+randomHex(), randomHex()
		if err := within(ctx, time.Minute, func(ctx context.Context) error {
			return Eventually(ctx, func() error {
				_, err := r.Kubectl(ctx, "create", "secret", "generic", name, "--from-literal=value="+value)
				if err != nil && strings.Contains(err.Error(), "AlreadyExists") {
					return nil // a request whose answer was lost
				}
				return err
			})
		}); err != nil {
			return nil, err
		}
		values[name] = value
	}
	return func(ctx context.Context) error {
		for _, plane := range r.Planes() {
			for name, value := range values {
				if err := Eventually(ctx, func() error { return r.holds(ctx, plane, name, value) }); err != nil {
					return fmt.Errorf("%s: %w", plane, err)
				}
			}
		}
		return nil
	}, nil
}

// holds asks a control plane's own API server for a Secret, with the administrator's
// credential of whichever control plane has one.
func (r *Rehearsal) holds(ctx context.Context, plane, name, value string) error {
	found, err := r.Kubectl(ctx, "--server=https://"+r.machines[plane].Address+":6443", "get", "secret", name, "-o", "go-template={{.data.value | base64decode}}")
	if err == nil && found != value {
		err = fmt.Errorf("the Secret %s has changed", name)
	}
	return err
}

// restartAPIServers ends those that run: what they hold in memory is gone, and they
// read everything anew.
func (r *Rehearsal) restartAPIServers(ctx context.Context) error {
	for _, plane := range r.Planes() {
		if _, err := r.Run(ctx, plane, "pkill", "-KILL", "-x", "kube-apiserver"); err != nil {
			return err
		}
		if err := within(ctx, 3*time.Minute, func(ctx context.Context) error {
			return Eventually(ctx, func() error { return r.whole(ctx, plane) })
		}); err != nil {
			return fmt.Errorf("%s, whose API server was ended: %w", plane, err)
		}
	}
	return nil
}

// proveKeys gives the cloud's key another version: what is stored is written anew with
// it, nothing is lost, and then the version before it may go. AWS does not tell of its
// rotation, so that there is nothing to rewrite; that it is so is told there.
func proveKeys(ctx context.Context, r *Rehearsal) error {
	config, err := r.NodeConfig(r.Planes()[0])
	if err != nil {
		return err
	}
	if config.KMS == nil {
		return errors.New("the machines have no key of the cloud")
	}
	for _, plane := range r.Planes() {
		if _, err := r.Run(ctx, plane, "systemctl", "is-active", reencryptUnit+".timer"); err != nil {
			return fmt.Errorf("nothing starts it by itself: %w", err)
		}
	}
	check, err := r.held(ctx, 8)
	if err != nil {
		return err
	}
	key := config.KMS.Keys[0]
	id, found := r.Cloud.Server.KeyID(key)
	if !found {
		return fmt.Errorf("the cloud has no key %s", key)
	}
	if config.Cloud.Platform != hostconfig.PlatformGCP {
		r.Cloud.Server.RotateKey(id)
		if err := r.reencrypt(ctx, "kms "+nodeconfig.KMSName+" "+key); err != nil {
			return err
		}
		_, err := r.alone(ctx, "kms "+nodeconfig.KMSName+" "+key)
		return errors.Join(err, within(ctx, time.Minute, check))
	}
	version := func(n int) string {
		return "kms " + nodeconfig.KMSName + " " + key + "/cryptoKeyVersions/" + strconv.Itoa(n)
	}
	before, err := r.alone(ctx, version(1))
	if err != nil {
		return err
	}
	r.Cloud.Server.RotateKey(id)
	if err := r.reencrypt(ctx, version(2)); err != nil {
		return err
	}
	after, err := r.alone(ctx, version(2))
	if err != nil {
		return err
	}
	if after < before {
		return fmt.Errorf("there were %d Secrets, and there are %d", before, after)
	}
	if err := within(ctx, time.Minute, check); err != nil {
		return err
	}
	r.Cloud.Server.DisableVersion(id, 1)
	if err := r.restartAPIServers(ctx); err != nil {
		return err
	}
	r.log("%d Secrets are under version 2 of the key, and version 1 is disabled", after)
	return within(ctx, 2*time.Minute, check)
}
