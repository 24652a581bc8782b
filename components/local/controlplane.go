package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// controlPlane is the machine of etcd and the Kubernetes control plane.
type controlPlane struct {
	pulumi.CustomResourceState
	Kubeconfig pulumi.StringMapOutput `pulumi:"kubeconfig"`
}

// newControlPlane registers the control plane.
func newControlPlane(ctx *pulumi.Context, name string, p plan, k *keys, opts ...pulumi.ResourceOption) (*controlPlane, error) {
	spec := p.controlPlaneNode().ControlPlaneSpec()
	rendered, err := spec.Files()
	if err != nil {
		return nil, err
	}
	agent, err := json.MarshalIndent(spec.AgentConfig(p.nodes()), "", "  ")
	if err != nil {
		return nil, err
	}
	paths := spec.Paths
	pki := func(name string) string { return path.Join(paths.PKI(), name) }
	m := p.machineInput(controlPlaneName)
	m["files"] = append(fileInputs(rendered),
		file(paths.AgentConfig(), 0o600, pulumi.String(agent)),
		file(pki("ca.crt"), 0o644, k.cluster.CertificatePem), file(pki("ca.key"), 0o600, k.cluster.PrivateKeyPem),
		file(pki("front-proxy-ca.crt"), 0o644, k.frontProxy.CertificatePem), file(pki("front-proxy-ca.key"), 0o600, k.frontProxy.PrivateKeyPem),
		file(pki("sa.pub"), 0o644, k.serviceAccount.PublicKeyPem), file(pki("sa.key"), 0o600, k.serviceAccount.PrivateKeyPem),
		file(pki("etcd-ca.crt"), 0o644, k.etcd.CertificatePem),
		file(path.Join(paths.EtcdPKI(), "ca.crt"), 0o644, k.etcd.CertificatePem), file(path.Join(paths.EtcdPKI(), "ca.key"), 0o600, k.etcd.PrivateKeyPem),
	)
	m["directories"] = pulumi.Array{
		directory(paths.EtcdData(), 0o700, spec.EtcdUser), auditDirectory(paths), directory(paths.Admin(), 0o700, "root"),
	}
	if p.args.Isolated {
		m["users"] = pulumi.IntMap{etcdUser: pulumi.Int(etcdUserID)}
		m["binds"] = p.controlPlaneBinds(paths)
	} else {
		m["ports"] = pulumi.ToStringArray(p.listeners())
	}
	m["services"] = p.controlPlaneServices(spec)
	encryption := pulumi.Map{
		"path":     pulumi.String(paths.Encryption()),
		"provider": pulumi.String(p.args.Encryption.Provider), "resources": pulumi.ToStringArray(p.args.Encryption.Resources),
	}
	if k.encryption != nil {
		encryption["keyName"], encryption["keySecret"] = pulumi.String(p.args.Encryption.KeyName), k.encryption.Secret
	} else {
		encryption["kmsName"], encryption["kmsEndpoint"] = pulumi.String(p.args.Encryption.KMSName), pulumi.String(p.kmsEndpoint())
	}
	res := &controlPlane{}
	return res, ctx.RegisterResource(controlPlaneToken, name, pulumi.Map{
		"machine":                  m,
		"encryption":               encryption,
		"certificateAuthorityPath": pulumi.String(pki("ca.crt")),
		"etcdEndpoint":             pulumi.String(fmt.Sprintf("127.0.0.1:%d", p.ports.EtcdClient)),
		"kubeconfig": pulumi.Map{
			"path":     pulumi.String(p.kubeconfig()),
			"contents": k.cluster.CertificatePem.ApplyT(p.adminKubeconfig).(pulumi.StringOutput),
		},
	}, res, opts...)
}

// validate checks what every machine would be, all at once. The encryption key
// is not known before it is made: a stand-in of the right length takes its place.
func (p plan) validate(now time.Time) error {
	node := p.controlPlaneNode()
	if node.ControlPlane.Encryption.Provider != hostconfig.EncryptionKMS {
		node.ControlPlane.Encryption.Keys = []hostconfig.EncryptionKey{{Name: p.args.Encryption.KeyName, Secret: strings.Repeat("A", 43) + "="}}
	}
	problems := []error{node.Validate(now)}
	for _, w := range p.workers[:min(1, len(p.workers))] { // they differ in name and address only
		problems = append(problems, p.workerNode(w).Validate(now))
	}
	return errors.Join(problems...)
}

// controlPlaneBinds are the parts of the host that the control plane sees, and
// the directories below its read-only /etc that its agent writes.
func (p plan) controlPlaneBinds(paths hostconfig.Paths) pulumi.Array {
	own := func(dir string) pulumi.Map {
		return bind(path.Join(p.machineDir(controlPlaneName), dir), dir, false)
	}
	binds := pulumi.Array{
		bind(p.args.ProgramsDirectory, programsInMachine, true),
		bind(p.adminDir(), paths.Admin(), false),
		own(paths.PKI()), own(paths.EtcdPKI()),
	}
	// The plugin stays in sight while a local key takes over from it.
	if p.args.Encryption.KMSEndpoint != "" {
		binds = append(binds, bind(path.Dir(strings.TrimPrefix(p.args.Encryption.KMSEndpoint, "unix://")), paths.KMSDir(), false))
	}
	return binds
}

// kmsEndpoint is the plugin's socket as the API server sees it.
func (p plan) kmsEndpoint() string {
	if !p.args.Isolated {
		return p.args.Encryption.KMSEndpoint
	}
	return "unix://" + path.Join(hostconfig.Paths{}.KMSDir(), path.Base(p.args.Encryption.KMSEndpoint))
}

// listeners are the addresses that a control plane without a network of its
// own takes on the host.
func (p plan) listeners() []string {
	var out []string
	for _, port := range []int{p.ports.APIServer, p.ports.EtcdClient, p.ports.EtcdPeer, p.ports.EtcdMetrics, p.ports.ControllerManager, p.ports.Scheduler} {
		out = append(out, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return out
}

func (p plan) controlPlaneServices(spec hostconfig.ControlPlane) pulumi.Array {
	paths := spec.Paths
	agent := spec.AgentConfig(p.nodes())
	https := func(port int, path string) pulumi.Map {
		return pulumi.Map{
			"https":  pulumi.String(fmt.Sprintf("https://127.0.0.1:%d%s", port, path)),
			"caFile": pulumi.String(paths.ClusterCA()),
		}
	}
	return pulumi.Array{
		// The agent gives etcd's keys to etcd's user: it needs root's capabilities.
		p.service(service{
			name: "agent", program: p.program("redoubt-agent"), privileged: true,
			args:  []string{"control-plane", "--config", paths.AgentConfig()},
			reads: []string{paths.AgentConfig()},
			ready: pulumi.Map{"file": pulumi.String(agent.ReadyFile)},
		}),
		p.service(service{
			name: "etcd", program: p.program("etcd"), args: spec.EtcdArgs(), user: spec.EtcdUser,
			after: []string{"agent"},
			ready: pulumi.Map{"tcp": pulumi.String(fmt.Sprintf("127.0.0.1:%d", p.ports.EtcdClient))},
		}),
		p.service(service{
			name: "kube-apiserver", program: p.program("kube-apiserver"), args: spec.APIServerArgs(),
			after: []string{"etcd"},
			reads: []string{paths.Encryption(), paths.AuditPolicy(), paths.Authentication(), paths.Admission(), paths.EventRateLimit(), path.Join(paths.PKI(), "sa.key")},
			ready: https(p.ports.APIServer, "/readyz"),
		}),
		p.service(service{
			name: "kube-controller-manager", program: p.program("kube-controller-manager"), args: spec.ControllerManagerArgs(),
			after: []string{"kube-apiserver"},
			// With the API server: after some restarts of it, its clients wait longer
			// and longer before they try again.
			reads: []string{paths.Kubeconfig("controller-manager"), path.Join(paths.PKI(), "ca.key"), paths.Encryption()},
			ready: https(p.ports.ControllerManager, "/healthz"),
		}),
		p.service(service{
			name: "kube-scheduler", program: p.program("kube-scheduler"), args: spec.SchedulerArgs(),
			after: []string{"kube-apiserver"},
			reads: []string{paths.Kubeconfig("scheduler"), paths.Encryption()},
			ready: https(p.ports.Scheduler, "/healthz"),
		}),
	}
}
