package kubeapply_test

import (
	"flag"
	"os"
	"sync"
	"testing"

	"k8s.io/client-go/dynamic"

	"github.com/redoubt-dev/redoubt/test/kubeapi"
)

// api is a real API server with its controller manager, made once for the package's tests.
type api struct {
	kubeconfig string
	client     dynamic.Interface
	server     *kubeapi.Server
	err        error
}

var (
	shared     api
	sharedOnce sync.Once
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "16") // the tests wait for controllers, they do not compute
	code := m.Run()
	shared.server.Stop()
	os.Exit(code)
}

// server returns the shared API server.
func server(t *testing.T) *api {
	t.Helper()
	sharedOnce.Do(func() { shared.err = shared.start() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return &shared
}

func (a *api) start() (err error) {
	if a.server, err = kubeapi.Start(kubeapi.Options{Controllers: true}); err != nil {
		return err
	}
	a.kubeconfig = a.server.Kubeconfig
	config, err := a.server.Config()
	if err != nil {
		return err
	}
	a.client, err = dynamic.NewForConfig(config)
	return err
}
