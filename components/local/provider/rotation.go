package provider

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/components/internal/reencrypt"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// EncryptionAtRest says how the API server encrypts what it stores (M18).
type EncryptionAtRest struct {
	// Path is the EncryptionConfiguration inside the machine.
	Path string `pulumi:"path"`
	// Provider is secretbox, aescbc or kms.
	Provider  string   `pulumi:"provider"`
	Resources []string `pulumi:"resources,optional"`
	// KeyName and KeySecret (base64) are the local key that writes.
	KeyName   *string `pulumi:"keyName,optional"`
	KeySecret *string `pulumi:"keySecret,optional" provider:"secret"`
	// KMSName and KMSEndpoint are the KMS v2 plugin that writes.
	KMSName     *string `pulumi:"kmsName,optional"`
	KMSEndpoint *string `pulumi:"kmsEndpoint,optional"`
}

// desired is the encryption with one writer and nothing else.
func (e EncryptionAtRest) desired() hostconfig.Encryption {
	out := hostconfig.Encryption{Provider: hostconfig.EncryptionProvider(e.Provider), Resources: e.Resources}
	if out.Provider == hostconfig.EncryptionKMS {
		out.KMS = &hostconfig.KMS{Name: deref(e.KMSName), Endpoint: deref(e.KMSEndpoint)}
		return out
	}
	out.Keys = []hostconfig.EncryptionKey{{Name: deref(e.KeyName), Secret: deref(e.KeySecret)}}
	return out
}

// writer is the name of the key or plugin that writes.
func (e EncryptionAtRest) writer() string {
	if e.Provider == string(hostconfig.EncryptionKMS) {
		return deref(e.KMSName)
	}
	return deref(e.KeyName)
}

// rotation is the way from the keys on the machine to the declared one, by the
// states of [hostconfig.EncryptionRotation]. They are derived from the file on
// the machine, so that an interrupted rotation goes on where it stopped:
//
//	add and promote: the new key writes, every key on the machine still reads;
//	                 one restart, since no other API server reads meanwhile
//	rewrite:         every object is written again
//	retire:          the new key alone
type rotation struct {
	needed         bool
	reading, final File
	retiring       string
}

func (in ControlPlaneInputs) rotation() (rotation, error) {
	e := in.Encryption
	file := func(contents string, err error) (File, error) {
		return File{Path: e.Path, Mode: 0o600, Owner: "root", Contents: contents}, err
	}
	final, err := file(e.desired().Configuration())
	if err != nil {
		return rotation{}, err
	}
	onMachine, err := os.ReadFile(in.Machine.hostPath(e.Path))
	if os.IsNotExist(err) || string(onMachine) == final.Contents {
		return rotation{reading: final, final: final}, nil
	}
	if err != nil {
		return rotation{}, err
	}
	current, err := hostconfig.ParseEncryption(string(onMachine))
	if err != nil {
		return rotation{}, fmt.Errorf("%s on the control plane cannot be read: %w; "+
			"restore it from a backup: without its keys the stored secrets are lost", e.Path, err)
	}
	states := hostconfig.EncryptionRotation{From: current, To: e.desired(), Servers: []string{in.Machine.Name}}
	if before, err := current.Configuration(); err == nil && before == final.Contents {
		// The same keys, in a document of another form.
		return rotation{reading: final, final: final}, nil
	}
	reading, err := file(states.ConfigurationIn(hostconfig.EncryptionPromote))
	if err != nil {
		return rotation{}, err
	}
	if current.KMS != nil && !in.Machine.seesKMS() {
		return rotation{}, fmt.Errorf("what is stored was encrypted by the KMS plugin %q, which the settings no longer have: "+
			"keep encryption.kmsName and encryption.kmsEndpoint until an update has moved everything to the local key", current.KMS.Name)
	}
	retiring := strings.Join(states.Retiring(), ", ")
	if retiring == "" {
		retiring = "the earlier configuration"
	}
	return rotation{needed: true, reading: reading, final: final, retiring: retiring}, nil
}

// seesKMS reports whether the machine reaches the socket of a KMS plugin.
func (m Machine) seesKMS() bool {
	for _, b := range m.Binds {
		if b.Target == (hostconfig.Paths{}).KMSDir() {
			return true
		}
	}
	return !m.Isolated
}

// rewrite has the API server write anew what is under another key than the one that
// writes, and then knows from etcd itself that nothing is left under another one.
func (in ControlPlaneInputs) rewrite(ctx context.Context) error {
	config, err := restConfig(in.Kubeconfig.Path)
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	etcd, err := in.Machine.etcdClient(in.EtcdEndpoint)
	if err != nil {
		return err
	}
	defer etcd.Close()
	resources, writer := in.Encryption.desired().WithDefaults().Resources, reencrypt.Writer(in.Encryption.desired())
	log := slog.New(slog.DiscardHandler) // what is refused is in the report
	report, err := reencrypt.Rewriter{Etcd: etcd, Config: config, Client: client, Log: log}.Run(ctx, resources, &writer)
	if err != nil {
		return fmt.Errorf("rewriting %s under the new key: %w; both keys still read: run the update again", strings.Join(resources, ", "), err)
	}
	if left := report.Left(writer); left > 0 {
		return fmt.Errorf("%d objects are still stored under another key after the rewrite%s; the old key stays: run the update again", left, report.Told())
	}
	return nil
}
