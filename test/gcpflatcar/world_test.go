package gcpflatcar_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simgcp "github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// world is the environment once it is up, made once for the tests that only look at it.
type world struct {
	environment
	result  rehearse.Result
	state   string
	secrets int
}

var (
	once sync.Once
	made world
)

func up(t *testing.T) world {
	t.Helper()
	once.Do(func() {
		made.environment = prepare(t, simcloud.Options{})
		made.result = made.mustUp()
		made.state, made.secrets = made.Shown()
	})
	if made.state == "" {
		t.Fatal("the environment did not come up: see the test that brought it up")
	}
	return made
}

// No key is in the state of the stack, in an output or in metadata unless it is marked as a secret, and every file of
// the control plane that has one is found, so that this test sees what it looks for (decision 8 of the design, M18).
func TestNoKeyIsShown(t *testing.T) {
	w := up(t)
	keys := 0
	for _, o := range w.Cloud.Objects(objects) {
		telling, is := simtest.PrivateKey(o.State.String("content"))
		if !is {
			continue
		}
		keys++
		if !strings.Contains(o.ID, "-control-plane/pki/") {
			t.Errorf("%s holds a key", o.ID)
		}
		for _, each := range telling {
			if strings.Contains(w.state, each) {
				t.Errorf("the key %s is in the state as it is", o.ID)
			}
		}
	}
	if keys != 4 { // three authorities, and the tokens of service accounts
		t.Errorf("%d keys in the store", keys)
	}
	if strings.Contains(w.state, "PRIVATE KEY") {
		t.Error("the state shows a key")
	}
	if w.secrets < 8 || len(w.state) < 100_000 {
		t.Errorf("%d secrets in %d bytes of state: this test looks at nothing", w.secrets, len(w.state))
	}
	for _, output := range simtest.Telling(w.result) {
		t.Errorf("the output %s shows a secret", output)
	}
}

// Every machine gets through its first boot with what its own account may read, and with nothing else: metadata names an
// object and its hash, and the objects of a worker hold no key (M02, M12).
func TestMachinesBootWithWhatIsTheirOwn(t *testing.T) {
	w := up(t)
	machines := w.Cloud.Objects(instances, templates)
	if len(machines) != 5 {
		t.Fatalf("%d machines", len(machines))
	}
	for _, o := range machines {
		text := o.State.Texts("metadata")["user-data"]
		if !strings.Contains(text, "gs://"+name+"-store-") || len(text) > 1024 {
			t.Errorf("%s has %d bytes of user data, which name no object", o.ID, len(text))
		}
		m, err := simgcp.Boot(w.Cloud, o)
		if err != nil {
			t.Errorf("%s: %v", o.ID, err)
			continue
		}
		worker := o.Type == templates
		for _, source := range m.Sources {
			if worker && strings.Contains(source, "/control-plane/") {
				t.Errorf("%s fetches %s", o.ID, source)
			}
		}
		if len(m.Config.Storage.Files) < 15 || len(m.Sources) < 3 || worker && strings.Contains(string(m.Document), "PRIVATE KEY") {
			t.Errorf("%s: %d files, %d sources", o.ID, len(m.Config.Storage.Files), len(m.Sources))
		}
	}
}

// No account reads, writes or deletes what is another's: the table of who may do what with the store and with copies of
// etcd, asked of IAM (M20, M38).
func TestWhoReadsAndWritesTheStore(t *testing.T) {
	w := up(t)
	const store, copies = name + "-store-redoubt-self-4713-europe-west3", name + "-etcd-redoubt-self-4713-europe-west3"
	account := func(id string) string { return id + "@redoubt-self-4713.iam.gserviceaccount.com" }
	plane, general, isolated := account("gcp-flatcar-control"), account("gcp-flatcar-w-general"), account("gcp-flatcar-w-isolated")
	read, write, remove, list := simgcp.ReadObject, simgcp.CreateObject, simgcp.DeleteObject, simgcp.ListObjects
	for _, each := range []struct {
		who, may, bucket, object string
		want                     bool
	}{
		{plane, read, store, "control-plane/pki/ca.key", true}, {plane, read, store, "control-plane/gcp-flatcar-control-plane-1.ign", true}, {plane, read, store, "control-plane/initialized", true},
		{plane, read, store, "bin/redoubt-node-0123", true}, {plane, read, store, "workers/general/join.conf", true},
		{plane, write, store, "workers/general/join.conf", true}, {plane, remove, store, "workers/isolated/join.conf", true}, {plane, write, store, "control-plane/initialized", true},
		{plane, write, store, "control-plane/pki/ca.key", false}, {plane, remove, store, "control-plane/pki/ca.key", false}, {plane, write, store, "workers/general/config.ign", false},
		{plane, write, store, "bin/redoubt-node-0123", false}, {plane, list, store, "", true},
		{plane, read, copies, "etcd/1", true}, {plane, write, copies, "etcd/1", true}, {plane, remove, copies, "etcd/1", false},
		{general, read, store, "workers/general/config.ign", true}, {general, read, store, "workers/general/join.conf", true}, {general, read, store, "bin/redoubt-node-0123", true},
		{general, read, store, "workers/isolated/join.conf", false}, {general, read, store, "control-plane/pki/ca.key", false}, {general, read, store, "control-plane/initialized", false},
		{general, write, store, "workers/general/join.conf", false}, {general, write, store, "bin/redoubt-node-0123", false}, {general, list, store, "", false},
		{general, read, copies, "etcd/1", false}, {isolated, read, store, "workers/isolated/join.conf", true}, {isolated, read, store, "workers/general/join.conf", false},
		// Names that begin as others do.
		{general, read, store, "workers/general-2/join.conf", false}, {general, read, store, "binary", false}, {plane, write, store, "workers/other/join.conf", false},
	} {
		if got := simgcp.Permitted(w.Cloud, each.who, each.may, each.bucket, each.object); got != each.want {
			t.Errorf("%s %s %s/%s: %v", each.who, each.may, each.bucket, each.object, got)
		}
	}
}
