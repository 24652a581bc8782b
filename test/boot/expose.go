package boot

import (
	"context"
	"net"
	"net/url"
	"os"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/redoubt-dev/redoubt/components/local/netns"
)

// door is a port of this host's loopback interface that leads to the load balancer.
type door struct {
	relay
	listener net.Listener
}

// Expose opens a way from this host to the API servers, through the load balancer as
// somebody in the cloud's network reaches it, and gives a kubeconfig for it in a
// file. The machines' network has no other way in or out. The credential is
// kubeadm's own of an administrator, and both end with the rehearsal.
func (r *Rehearsal) Expose() (kubeconfig string, err error) {
	config, err := r.NodeConfig(r.Planes()[0])
	if err != nil {
		return "", err
	}
	endpoint, err := url.Parse(config.Endpoint)
	if err != nil {
		return "", err
	}
	admin, err := clientcmd.LoadFromFile(r.File(r.Planes()[0], adminConfig))
	if err != nil {
		return "", err
	}
	if r.door == nil {
		if r.door, err = r.opened(); err != nil {
			return "", err
		}
	}
	for _, cluster := range admin.Clusters {
		cluster.Server, cluster.TLSServerName = "https://"+r.door.listener.Addr().String(), endpoint.Hostname()
	}
	name := r.path("kubeconfig")
	if err := clientcmd.WriteToFile(*admin, name); err != nil {
		return "", err
	}
	return name, os.Chmod(name, 0o600)
}

func (r *Rehearsal) opened() (*door, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &door{listener: listener}
	from, to := netns.Namespace(r.Name, cloudName), net.JoinHostPort(r.LoadBalancer.Address, r.LoadBalancer.port())
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				server, err := netns.DialContext(context.Background(), from, "tcp", to)
				if err != nil {
					client.Close()
					return
				}
				d.join(client, server)
			}()
		}
	}()
	return d, nil
}

func (d *door) close() {
	if d == nil {
		return
	}
	d.listener.Close()
	d.relay.close()
}
