package flatcar

import (
	"fmt"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// Names of the renewal.
const (
	unitRenew  = "redoubt-renew-certificates.service"
	timerRenew = "redoubt-renew-certificates.timer"
	renewPath  = "/opt/redoubt/bin/renew-certificates"
)

// renewUnit renews the certificates of the control plane (M34): at every boot,
// before the kubelet starts what uses them, so that a machine that was off for
// longer than they live comes back, and whenever the timer says.
func (s Spec) renewUnit() systemd.Service {
	return systemd.Service{
		Name:          unitRenew,
		Description:   "Renew the certificates of the control plane",
		Documentation: []string{"https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/"},
		After:         []string{"local-fs.target", "systemd-sysext.service", "time-sync.target"},
		Before:        []string{unitKubelet},
		// Until kubeadm has succeeded the certificates are its own affair.
		Conditions:   []systemd.Condition{{Kind: "PathExists", Value: s.joinedMark()}},
		Type:         systemd.TypeOneshot,
		Start:        []systemd.Command{{renewPath}},
		Restart:      "on-failure",
		RestartDelay: 5 * time.Minute, // half a certificate's life is left for attempts
		StartTimeout: 2 * time.Minute,
		// It needs neither the network nor a capability: root owns the files, and
		// the authorities' keys lie beside them.
		Sandbox:  systemd.Sandbox{Writable: []string{"/etc/kubernetes"}},
		WantedBy: []string{"multi-user.target"},
	}
}

// renewTimer counts from the last renewal. A tenth is left to chance, so that
// the control planes of a cluster do not all restart their programs at once.
func (s Spec) renewTimer() systemd.Timer {
	spec, _ := s.kubeadm()
	every := spec.RenewEvery() * 9 / 10
	return systemd.Timer{
		Name: timerRenew, Description: "Renew the certificates of the control plane in time",
		AfterBoot: every, Every: every, Spread: every / 9,
	}
}

// renewScript renews all or nothing: kubeadm writes file by file, so what an
// interrupted run found is put back before the next one begins.
//
// The API server and etcd read their certificates again when they change. The
// other two have theirs inside a kubeconfig, which they read once: a label with
// the kubeconfig's hash makes the kubelet start them anew when it has changed.
func (s Spec) renewScript() hostconfig.File {
	contents := fmt.Sprintf(`#!/bin/sh
# Renews the certificates of the control plane; see man kubeadm-certs-renew.
set -eu
umask 077
cd /etc/kubernetes
kept=.renewal
if [ -d $kept ]; then
	cp -a $kept/pki $kept/*.conf .
else
	rm -rf $kept.new
	mkdir $kept.new
	cp -a pki $kept.new
	for each in admin super-admin controller-manager scheduler; do
		[ ! -e $each.conf ] || cp -a $each.conf $kept.new
	done
	sync
	mv $kept.new $kept
fi
%[1]s certs renew all --config=%[2]s
sync
mv $kept $kept.new
rm -rf $kept.new
for each in controller-manager scheduler; do
	manifest=manifests/kube-$each.yaml
	hash=$(sha256sum <$each.conf | cut -c 1-32)
	grep -q "^    redoubt.dev/credentials: \"$hash\"\$" $manifest && continue
	sed -e '/^    redoubt.dev\/credentials: /d' -e "s|^  labels:\$|&\n    redoubt.dev/credentials: \"$hash\"|" $manifest >.manifest.new
	mv .manifest.new $manifest
done
`, kubeadmProgram, renewalPath)
	return hostconfig.File{Path: renewPath, Mode: 0o700, Owner: "root", Contents: contents}
}
