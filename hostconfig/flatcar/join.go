package flatcar

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/kubeadm"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// joinPath is the script of machines that join.
const joinPath = "/opt/redoubt/bin/join-cluster"

// Preflight checks that fail only because an earlier attempt got as far as it
// did, and the ports that it then has in use. Everything else still stops kubeadm.
var (
	retryControlPlane = []string{
		"DirAvailable--var-lib-etcd",
		"FileAvailable--etc-kubernetes-manifests-etcd.yaml",
		"FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml",
		"FileAvailable--etc-kubernetes-manifests-kube-controller-manager.yaml",
		"FileAvailable--etc-kubernetes-manifests-kube-scheduler.yaml",
	}
	retryJoin = []string{
		"DirAvailable--etc-kubernetes-manifests",
		"FileAvailable--etc-kubernetes-bootstrap-kubelet.conf", "FileAvailable--etc-kubernetes-kubelet.conf",
		"FileAvailable--etc-kubernetes-pki-ca.crt",
	}
)

// retryable gives the checks of the machine's action as kubeadm takes them. The
// API server's port is the cluster's; of every other kubeadm checks its own,
// which is the default one.
func (s Spec) retryable() string {
	_, action := s.kubeadm()
	own := hostconfig.DefaultPorts()
	var checks []string
	ports := []int{own.Kubelet}
	if action != kubeadm.JoinWorker {
		checks = append(checks, retryControlPlane...)
		ports = append(ports, s.Node.Cluster.Ports.APIServer, own.ControllerManager, own.Scheduler, own.EtcdClient, own.EtcdPeer)
	}
	for _, port := range ports {
		checks = append(checks, fmt.Sprintf("Port-%d", port))
	}
	if action != kubeadm.Init {
		checks = append(checks, retryJoin...)
	}
	slices.Sort(checks)
	return strings.Join(slices.Compact(checks), ",")
}

// IgnoredPreflight gives kubeadm's preflight checks that fail only because an
// earlier attempt got as far as it did, as --ignore-preflight-errors takes them.
func (s Spec) IgnoredPreflight() string { return s.WithDefaults().retryable() }

// joinedMark is the file that kubeadm's success leaves.
func (s Spec) joinedMark() string {
	if s.Parts.JoinedMark != "" {
		return s.Parts.JoinedMark
	}
	if s.Kubeadm.Init {
		return statePath + "/kubeadm-init.done"
	}
	return statePath + "/kubeadm-join.done"
}

// kubeadmUnit runs kubeadm once in a machine's life. Its phases take over what
// an earlier attempt left, so it is tried until it succeeds; the mark that it
// then leaves keeps later boots from running it.
func (s Spec) kubeadmUnit() systemd.Service {
	unit := systemd.Service{
		Name:          unitKubeadmJoin,
		Description:   "Join the cluster with kubeadm",
		Documentation: []string{"https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-join/"},
		Requires:      []string{unitContainerd, unitFirewall},
		Wants:         []string{"network-online.target"},
		After: []string{unitContainerd, unitFirewall, "network-online.target", "systemd-sysext.service",
			"systemd-sysctl.service", "time-sync.target"},
		Conditions:      []systemd.Condition{{Kind: "PathExists", Value: "!" + s.joinedMark()}},
		Type:            systemd.TypeOneshot,
		RemainAfterExit: true,
		Start:           []systemd.Command{{joinPath}},
		Restart:         "on-failure",
		RestartDelay:    30 * time.Second, // another control plane may still be starting
		StartTimeout:    15 * time.Minute, // images are pulled in between
		Sandbox:         systemd.Sandbox{Open: true},
		WantedBy:        []string{"multi-user.target"},
	}
	unit.Requires = append(unit.Requires, s.Parts.JoinNeeds...)
	unit.After = append(unit.After, s.Parts.JoinNeeds...)
	if s.Kubeadm.Init {
		unit.Name, unit.Description = unitKubeadmInit, "Create the cluster with kubeadm"
		unit.Documentation = []string{"https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init/"}
		unit.Start = []systemd.Command{
			{kubeadmProgram, "init", "--config=" + kubeadmPath, "--ignore-preflight-errors=" + s.retryable()},
			{"/usr/bin/touch", s.joinedMark()},
			{"/usr/bin/rm", "--force", kubeadmPath}, // nothing reads it again
		}
	}
	return unit
}

// joinScript joins, and removes the credential that it joined with (M34). Once
// the machine has a kubeconfig of its own it is a node: kubeadm would refuse the
// name as taken, so that an attempt which was cut off after it goes on behind
// the phase that makes nodes.
func (s Spec) joinScript() hostconfig.File {
	contents := fmt.Sprintf(`#!/bin/sh
# Joins the cluster, once; see man kubeadm-join.
set -eu
umask 077 # for the kubelet's configuration that kubeadm writes (CIS 4.1.9)
node=
[ ! -e /etc/kubernetes/kubelet.conf ] || node=--skip-phases=kubelet-start
%[1]s join --config=%[2]s --ignore-preflight-errors=%[3]s $node
# First the mark: without the credential no attempt could succeed again.
touch %[5]s
rm -f %[4]s %[2]s
`, kubeadmProgram, kubeadmPath, s.retryable(), s.Kubeadm.DiscoveryFile, s.joinedMark())
	return hostconfig.File{Path: joinPath, Mode: 0o700, Owner: "root", Contents: contents}
}
