package kubeapply_test

import (
	"context"
	"net"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/redoubt-dev/redoubt/test/kubeapply"
)

// An engine that attaches opens a connection for each provider resource: two clusters in one program must not mix.
func TestTwoProviderResourcesHaveTheirOwnSettings(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := kubeapply.New(kubeapply.Options{})
	t.Cleanup(func() { _ = served.Close() })
	server := grpc.NewServer()
	pulumirpc.RegisterResourceProviderServer(server, served)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	clients := map[string]pulumirpc.ResourceProviderClient{}
	for _, namespace := range []string{"one", "two"} {
		conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		clients[namespace] = pulumirpc.NewResourceProviderClient(conn)
		if _, err := clients[namespace].Attach(context.Background(), &pulumirpc.PluginAttach{Address: "127.0.0.1:1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := clients[namespace].Configure(context.Background(), &pulumirpc.ConfigureRequest{Args: encode(t, m{"namespace": namespace})}); err != nil {
			t.Fatal(err)
		}
	}
	for namespace, client := range clients {
		response, err := client.Check(context.Background(), &pulumirpc.CheckRequest{
			Urn: urn("kubernetes:core/v1:ConfigMap", "x"), News: encode(t, m{"metadata": m{"name": "x"}}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, response.GetInputs())["metadata"].ObjectValue()["namespace"].StringValue(); got != namespace {
			t.Errorf("the provider of %s puts objects into %s", namespace, got)
		}
	}
}
