package gcp

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// forwardPort is where tunnels end: not 443, so that nothing that finds the
// machine takes it for the API server.
const forwardPort = 8443

// endpointAddress gives the address of https://<address>. The forwarder passes on
// to an address, which must not be a text that a command line would read otherwise.
func endpointAddress(endpoint string) (netip.Addr, error) {
	at, err := netip.ParseAddr(strings.TrimPrefix(endpoint, "https://"))
	if err != nil || !at.Is4() {
		return netip.Addr{}, fmt.Errorf("%q is no address of a control plane", endpoint)
	}
	return at, nil
}

// forwarderConfig is the cloud-config of the machine: the kernel passes
// connections on, and there is no program that an intruder could talk to. The
// machine keeps nothing, so that this runs at each boot.
// https://cloud.google.com/container-optimized-os/docs/how-to/create-configure-instance#using_cloud-init
func forwarderConfig(endpoint string) (string, error) {
	at, err := endpointAddress(endpoint)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`#cloud-config
write_files:
- path: /etc/systemd/system/api-forward.service
  permissions: "0644"
  owner: root
  content: |
    [Unit]
    Description=Passes tunnels of IAP on to the API server
    Wants=network-online.target
    After=network-online.target
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=/sbin/iptables -w -t nat -A PREROUTING -m addrtype --dst-type LOCAL -p tcp -s %[1]s --dport %[2]d -j DNAT --to-destination %[3]s:443
    ExecStart=/sbin/iptables -w -t nat -A POSTROUTING -p tcp -d %[3]s --dport 443 -j MASQUERADE
    ExecStart=/sbin/iptables -w -P FORWARD DROP
    ExecStart=/sbin/iptables -w -I FORWARD -p tcp -s %[1]s -d %[3]s --dport 443 -j ACCEPT
    ExecStart=/sbin/iptables -w -I FORWARD -p tcp -s %[3]s --sport 443 -m conntrack --ctstate ESTABLISHED -j ACCEPT
    ExecStart=/sbin/sysctl -w net.ipv4.ip_forward=1
runcmd:
- systemctl mask --now sshd.service
- systemctl daemon-reload
- systemctl start api-forward.service
`, iapRange, forwardPort, at), nil
}

// forwarder registers the machine: shielded, on an encrypted disk, without an
// address on the internet, keys, or permissions.
func (a IapAccessArgs) forwarder(ctx *pulumi.Context, name string, subnetwork *compute.Subnetwork, account pulumi.StringOutput, opts ...pulumi.ResourceOption) (*compute.Instance, error) {
	config := a.Endpoint.ToStringOutput().ApplyT(forwarderConfig).(pulumi.StringOutput)
	return compute.NewInstance(ctx, name, &compute.InstanceArgs{
		Name: pulumi.String(a.Cluster + "-entry"), Project: pulumi.String(a.Project.ID), Zone: pulumi.String(a.Zone), MachineType: pulumi.String(a.MachineType),
		Description: pulumi.String("Passes tunnels of IAP on to the API server of " + a.Cluster),
		BootDisk: compute.InstanceBootDiskArgs{AutoDelete: pulumi.Bool(true), KmsKeySelfLink: a.DisksKeyID.ToStringOutput().ToStringPtrOutput(),
			InitializeParams: compute.InstanceBootDiskInitializeParamsArgs{Image: pulumi.String(a.Image), Size: pulumi.Int(10), Type: pulumi.String("pd-balanced")}},
		// Without an access configuration, and so without an address on the internet.
		NetworkInterfaces: compute.InstanceNetworkInterfaceArray{compute.InstanceNetworkInterfaceArgs{
			Subnetwork: subnetwork.ID().ToStringOutput().ToStringPtrOutput(), StackType: pulumi.String("IPV4_ONLY")}},
		AllowStoppingForUpdate: pulumi.Bool(true),  // it keeps nothing
		CanIpForward:           pulumi.Bool(false), // packets leave with the machine's own address
		ServiceAccount:         compute.InstanceServiceAccountArgs{Email: account.ToStringPtrOutput(), Scopes: pulumi.ToStringArray(nodeScopes)},
		ShieldedInstanceConfig: compute.InstanceShieldedInstanceConfigArgs{EnableSecureBoot: pulumi.Bool(true), EnableVtpm: pulumi.Bool(true),
			EnableIntegrityMonitoring: pulumi.Bool(true)},
		Metadata: pulumi.StringMap{
			"user-data": config, "enable-oslogin": pulumi.String("TRUE"), "block-project-ssh-keys": pulumi.String("TRUE"), "serial-port-enable": pulumi.String("FALSE"),
			"cos-update-strategy": pulumi.String("update_disabled"), // the image is pinned, and replaced
		},
		Labels: labelled(a.Labels, a.Cluster),
	}, opts...)
}
