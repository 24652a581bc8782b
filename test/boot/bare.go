package boot

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Bare makes a cluster of the same machines as a plain script would, with kubeadm's
// own defaults: no Ignition, no store, no hardening, and every join as soon as the
// one before is done. It is what the time of a boot is compared with.
func (r *Rehearsal) Bare(ctx context.Context) error {
	for _, program := range extensionPrograms {
		if err := place(filepath.Join(r.Bin, program), r.path("usr/bin", program)); err != nil {
			return err
		}
	}
	for _, m := range r.Machines {
		if err := r.bareMachine(ctx, r.machines[m.Name]); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	first := r.Planes()[0]
	if _, err := r.Run(ctx, first, "/usr/bin/kubeadm", "init", "--config=/etc/kubernetes/init.yaml", "--upload-certs", "--ignore-preflight-errors=all"); err != nil {
		return err
	}
	for _, name := range append(r.Planes()[1:], r.Workers()...) {
		m := r.machines[name]
		plane := ""
		if m.Role == hostconfig.RoleControlPlane {
			plane = fmt.Sprintf("controlPlane: {localAPIEndpoint: {advertiseAddress: %s}, certificateKey: %s}\n", m.Address, bareKey)
		}
		document := fmt.Sprintf(bareJoin, r.endpoint(), m.NodeName(), m.Address) + plane
		if err := writeFile(m.root("etc/kubernetes/join.yaml"), document, 0o600); err != nil {
			return err
		}
		if _, err := r.Run(ctx, name, "/usr/bin/kubeadm", "join", "--config=/etc/kubernetes/join.yaml", "--ignore-preflight-errors=all"); err != nil {
			return err
		}
	}
	return r.WaitReady(ctx, append(r.Planes(), r.Workers()...)...)
}

// endpoint is that of the load balancer.
func (r *Rehearsal) endpoint() string { return r.LoadBalancer.Address + ":6443" }

// bareMachine turns a machine on that has the programs and nothing else.
func (r *Rehearsal) bareMachine(ctx context.Context, m *running) error {
	if err := m.install(); err != nil {
		return err
	}
	if err := m.preloaded(); err != nil {
		return err
	}
	for _, plugin := range cniPlugins {
		if err := place(filepath.Join("/usr/lib/cni", plugin), m.root("opt/cni/bin", plugin)); err != nil {
			return err
		}
	}
	files := map[string]string{
		"etc/containerd/config.toml":                           bareContainerd,
		"etc/cni/net.d/10-bridge.conflist":                     fmt.Sprintf(bareNetwork, hostconfig.PodBridge, m.PodCIDR),
		"etc/systemd/system/kubelet.service":                   bareKubelet,
		"etc/kubernetes/init.yaml":                             fmt.Sprintf(bareInit, m.Address, m.NodeName(), m.Address, bareKey, hostconfig.DefaultKubernetesVersion, r.endpoint(), r.LoadBalancer.Address),
		"etc/systemd/system-preset/20-bare.preset":             "enable containerd.service\nenable kubelet.service\n",
		"etc/systemd/system/containerd.service.d/10-bare.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/containerd --config=/etc/containerd/config.toml\n",
	}
	for name, contents := range files {
		if err := writeFile(m.root(name), contents, 0o600); err != nil {
			return err
		}
	}
	if err := m.power(ctx); err != nil {
		return err
	}
	return within(ctx, 30*time.Second, func(ctx context.Context) error {
		return Eventually(ctx, func() error {
			output, err := r.Run(ctx, m.Name, "systemctl", "is-active", "containerd.service")
			if err == nil && strings.TrimSpace(output) != "active" {
				err = fmt.Errorf("containerd is %s", output)
			}
			return err
		})
	})
}

// bareKey encrypts the authorities that "kubeadm init --upload-certs" stores.
const bareKey = "e6a2eb8581237ab72a4f494f30285ec12a9694d750b9785706a83bfcbbbd2204"

const bareInit = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: %s}
nodeRegistration: {name: %s, kubeletExtraArgs: [{name: node-ip, value: %s}]}
certificateKey: %s
bootstrapTokens: [{token: abcdef.0123456789abcdef}]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: %s
controlPlaneEndpoint: %s
encryptionAlgorithm: ECDSA-P256
apiServer: {certSANs: [%s]}
networking: {podSubnet: 10.81.0.0/16, serviceSubnet: 10.82.0.0/20}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
failCgroupV1: false
evictionHard: {nodefs.available: 512Mi, imagefs.available: 512Mi}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: {maxPerCore: 0, min: 0}
`

const bareJoin = `apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery: {bootstrapToken: {token: abcdef.0123456789abcdef, apiServerEndpoint: "%s", unsafeSkipCAVerification: true}}
nodeRegistration: {name: %s, kubeletExtraArgs: [{name: node-ip, value: %s}]}
`

const bareNetwork = `{"cniVersion":"1.0.0","name":"bridge","plugins":[{"type":"bridge","bridge":"%s","isGateway":true,"ipMasq":false,
"ipam":{"type":"host-local","ranges":[[{"subnet":"%s"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}
`

const bareContainerd = `version = 3
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  SystemdCgroup = true
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "registry.k8s.io/pause:3.10.1"
`

const bareKubelet = `[Unit]
After=containerd.service
[Service]
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=2
[Install]
WantedBy=multi-user.target
`
