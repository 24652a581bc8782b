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
// did. Everything else still stops kubeadm.
var (
	retryControlPlane = []string{
		"DirAvailable--var-lib-etcd",
		"FileAvailable--etc-kubernetes-manifests-etcd.yaml",
		"FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml",
		"FileAvailable--etc-kubernetes-manifests-kube-controller-manager.yaml",
		"FileAvailable--etc-kubernetes-manifests-kube-scheduler.yaml",
		"Port-10250", "Port-10257", "Port-10259", "Port-2379", "Port-2380", "Port-6443",
	}
	retryJoin = []string{
		"DirAvailable--etc-kubernetes-manifests",
		"FileAvailable--etc-kubernetes-bootstrap-kubelet.conf", "FileAvailable--etc-kubernetes-kubelet.conf",
		"FileAvailable--etc-kubernetes-pki-ca.crt", "Port-10250",
	}
)

// retryable gives the checks of one action as kubeadm takes them.
func retryable(action kubeadm.Action) string {
	var checks []string
	if action != kubeadm.JoinWorker {
		checks = append(checks, retryControlPlane...)
	}
	if action != kubeadm.Init {
		checks = append(checks, retryJoin...)
	}
	slices.Sort(checks)
	return strings.Join(slices.Compact(checks), ",")
}

// joinedMark is the file that kubeadm's success leaves.
func (s Spec) joinedMark() string {
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
	if s.Kubeadm.Init {
		_, action := s.kubeadm()
		unit.Name, unit.Description = unitKubeadmInit, "Create the cluster with kubeadm"
		unit.Documentation = []string{"https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init/"}
		unit.Start = []systemd.Command{
			{kubeadmProgram, "init", "--config=" + kubeadmPath, "--ignore-preflight-errors=" + retryable(action)},
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
	_, action := s.kubeadm()
	contents := fmt.Sprintf(`#!/bin/sh
# Joins the cluster, once; see man kubeadm-join.
set -eu
node=
[ ! -e /etc/kubernetes/kubelet.conf ] || node=--skip-phases=kubelet-start
%[1]s join --config=%[2]s --ignore-preflight-errors=%[3]s $node
# First the mark: without the credential no attempt could succeed again.
touch %[5]s
rm -f %[4]s %[2]s
`, kubeadmProgram, kubeadmPath, retryable(action), s.Kubeadm.DiscoveryFile, s.joinedMark())
	return hostconfig.File{Path: joinPath, Mode: 0o700, Owner: "root", Contents: contents}
}
