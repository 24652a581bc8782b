package selfmanaged

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

func script(path, contents string) hostconfig.File {
	return hostconfig.File{Path: path, Mode: 0o700, Owner: "root", Contents: contents}
}

// controlPlaneScripts gives the scripts of one control plane.
func (s Spec) controlPlaneScripts(spec flatcar.Spec, plane ControlPlane) []hostconfig.File {
	files := []hostconfig.File{
		prepareVolume(plane.Device), prepareFolders(), s.converge(spec, plane),
		// Not a RuntimeDirectory: the API server's pod keeps the directory that it
		// mounted, and would not see the socket of a plugin that was started anew.
		tmpfiles("d /run/redoubt 0700 root root -", "d "+kmsDir+" 0700 root root -", "d "+approveDir+" 0700 root root -",
			"d "+shipDir+" 0700 root root -"),
	}
	if s.LoadBalancer.Passthrough != "" {
		files = append(files, s.apiAddress())
	}
	return files
}

// tmpfiles gives what systemd-tmpfiles sees to at every boot. The kubelet's unit is
// closed to others (CIS 4.1.1): Ignition itself writes every unit with mode 0644.
func tmpfiles(lines ...string) hostconfig.File {
	lines = append(lines, "z /etc/systemd/system/kubelet.service 0600 root root -",
		"z /etc/systemd/system/kubelet.service.d/10-kubeadm.conf 0600 root root -")
	return hostconfig.File{Path: "/etc/tmpfiles.d/redoubt.conf", Mode: 0o644, Owner: "root", Contents: strings.Join(lines, "\n") + "\n"}
}

// prepareVolume formats the volume when there is nothing on it at all: a volume
// that has anything, readable or not, is never touched. It waits for as long as
// the volume is attached to the machine that this one replaces.
func prepareVolume(device string) hostconfig.File {
	return script(volumeScript, fmt.Sprintf(`#!/bin/sh
# Formats the volume of etcd, once in its life.
set -eu
device=%[1]s
until [ -b "$device" ] || [ -f "$device" ]; do
	echo "waiting for $device to be attached" >&2
	sleep 5
done
# 0: something was found. 2: nothing was. Anything else is no answer.
found=0
blkid --probe "$device" || found=$?
case $found in
0) exit 0 ;;
2) ;;
*) echo "$device cannot be read: blkid gave $found" >&2; exit 1 ;;
esac
# Zeros, or it is not new: an encrypted or damaged volume has no signature either.
if [ "$(head -c 1048576 "$device" | tr -d '\000' | wc -c)" -ne 0 ]; then
	echo "$device holds something unknown, and is left alone" >&2
	exit 1
fi
mkfs.ext4 -q -m 0 -L redoubt-etcd "$device"
`, device))
}

// prepareFolders makes what the volume has before etcd does.
func prepareFolders() hostconfig.File {
	return script(foldersScript, fmt.Sprintf(`#!/bin/sh
# The folder of etcd's data is closed to all but root (CIS 1.1.11).
set -eu
mkdir -p %[1]s/etcd
chmod 0700 %[1]s %[1]s/etcd
`, volumePath))
}

// apiAddress makes the load balancer's address one of the machine's own, as it
// leaves packets as they are. Before the API server is ready the machine must not
// have it: it would answer itself instead of reaching the others.
// https://cloud.google.com/load-balancing/docs/internal/setting-up-internal#test-from-backend-vms
func (s Spec) apiAddress() hostconfig.File {
	return script(addressScript, fmt.Sprintf(`#!/bin/sh
# Takes the address of the load balancer for the machine's own.
set -eu
ip -4 route replace local %[1]s/32 dev lo scope host
`, s.LoadBalancer.Passthrough))
}

// converge makes the machine a control plane, from whatever it finds. What the
// volume says counts before what the cloud or the other machines say, because the
// volume is the only thing that was there when it happened:
//
//	founding  the cluster is being made on it          go on with kubeadm init
//	member    it holds a member's data                 render what belongs around it
//	neither   the cluster exists, or an other machine  forget the member that was, join
//	neither   there is no cluster, and this is the one that makes it   kubeadm init
func (s Spec) converge(spec flatcar.Spec, plane ControlPlane) hostconfig.File {
	founder := plane.Name == s.ControlPlanes[0].Name
	var peers []string
	for _, other := range s.ControlPlanes {
		if other.Name != plane.Name {
			peers = append(peers, other.Address)
		}
	}
	port := s.Cluster.Ports.APIServer
	own := fmt.Sprintf("https://%s:%d", plane.Address, port)
	join := spec
	join.Kubeadm.Init = false
	initial := spec
	initial.Kubeadm.Init = true
	decide := "\tstep=join"
	if founder {
		decide = `	# Only a clear "no" begins a cluster: no answer is none.
	known=0
	$node initialized || known=$?
	case $known in
	0) step=join ;;
	3) step=init ;;
	*) echo "whether the cluster exists cannot be told; trying again" >&2; exit 1 ;;
	esac`
		if len(peers) == 0 {
			decide = strings.Replace(decide, "0) step=join ;;",
				`0) echo "the cluster exists, and its only volume is lost: restore a snapshot, see docs/flatcar.md" >&2; exit 1 ;;`, 1)
		}
	}
	text := strings.NewReplacer(
		"@NODE@", nodeconfig.Program, "@KUBEADM@", kubeadmProgram, "@VOLUME@", volumePath, "@ETCD@", etcdPath,
		"@FOUNDING@", foundingMark, "@MEMBER@", memberMark, "@MARK@", controlPlaneMark,
		"@INIT@", initPath, "@JOIN@", joinPath, "@JOINFILE@", nodeconfig.JoinFile,
		"@IDENTITY@", s.Cluster.Name+" "+plane.Name, "@OWN@", own, "@ADDRESS@", plane.Address,
		"@PEERS@", strings.Join(peers, " "), "@PORT@", fmt.Sprint(port), "@DECIDE@", decide,
		"@IGNOREINIT@", initial.IgnoredPreflight(), "@IGNOREJOIN@", join.IgnoredPreflight(),
		"@POINT@", s.point(), "@AFTER@", s.afterwards(), "@ADDONS@", s.addons(),
	).Replace(strings.Replace(convergeScript, "@RESTORE@", s.restore(), 1))
	if len(peers) == 0 {
		text = cut(cut(text, "# join:", "# :join\n"), "join) ", "\n")
	}
	return script(controlPlaneScript, text)
}

// cut leaves out what lies between two texts, and both of them.
func cut(text, from, to string) string {
	before, rest, found := strings.Cut(text, from)
	if !found {
		return text
	}
	_, after, _ := strings.Cut(rest, to)
	return before + after
}

// restore puts the member's data aside, once, and takes the snapshot's. It is done
// before anything else is decided: what it leaves is a member with data.
func (s Spec) restore() string {
	if s.Restore == nil {
		return ""
	}
	until, err := time.Parse(time.RFC3339, s.Restore.Until)
	if err != nil {
		return "" // Validate reports it
	}
	sum := sha256.Sum256([]byte(s.Restore.Snapshot))
	return strings.NewReplacer("@ID@", hex.EncodeToString(sum[:6]), "@SNAPSHOT@", s.Restore.Snapshot, "@UNTIL@", fmt.Sprint(until.Unix())).Replace(restoreScript)
}

const restoreScript = `if [ "$(date +%s)" -lt @UNTIL@ ] && [ ! -e @VOLUME@/restored-@ID@ ]; then
	# The data that was stays on the volume, however often this begins again.
	if [ ! -e @VOLUME@/before-@ID@ ]; then
		[ -d @ETCD@/member ] || mkdir @VOLUME@/etcd/member
		mv @VOLUME@/etcd/member @VOLUME@/before-@ID@
		sync @VOLUME@
	fi
	rm -rf @VOLUME@/etcd/member
	$node restore --snapshot '@SNAPSHOT@' --data-dir @VOLUME@/etcd
	echo "$identity" >@MEMBER@
	rm -f @FOUNDING@
	touch @VOLUME@/restored-@ID@
	sync @VOLUME@
fi
`

// addons are those that a newer version of Kubernetes brings along.
func (s Spec) addons() string {
	if s.Kubeadm.SkipKubeProxy {
		return "coredns"
	}
	return "coredns kube-proxy"
}

// afterwards is what begins once the machine serves the API. The first token must
// not wait for its timer: workers wait for it.
func (s Spec) afterwards() string {
	units := unitApprove + " " + unitJoinConfig
	if len(s.ControlPlanes) > 1 {
		units += " " + unitYield
	}
	if s.LoadBalancer.Passthrough != "" {
		units += " " + unitAPIAddress
	}
	return units
}

// point is the shell function that leads this machine's own programs past the
// load balancer: many do not lead a machine back to itself, and none leads it to
// itself before it serves.
func (s Spec) point() string {
	host := s.endpointHost()
	if _, err := netip.ParseAddr(host); err != nil {
		return fmt.Sprintf(`point() {
	touch /etc/hosts
	sed '/ # redoubt$/d' /etc/hosts >/etc/hosts.new
	echo "$1 %s # redoubt" >>/etc/hosts.new
	chmod 0644 /etc/hosts.new
	mv /etc/hosts.new /etc/hosts
}`, host)
	}
	return fmt.Sprintf(`point() {
	nft -f - <<-RULES
		table ip redoubt-api
		delete table ip redoubt-api
		table ip redoubt-api {
			chain output {
				type nat hook output priority -100; policy accept;
				ip daddr %s tcp dport %d dnat to $1
			}
		}
	RULES
}`, host, s.Cluster.Ports.APIServer)
}

const convergeScript = `#!/bin/sh
# Makes this machine a control plane of its cluster, from whatever it finds.
set -eu
umask 077
node=@NODE@
identity='@IDENTITY@'

# What this machine asks the cluster goes to one address.
@POINT@

# A kubelet with a kubeconfig runs the static pods; it needs no API server for that.
kubelet() {
	$node issue kubelet --server @OWN@
	systemctl start --no-block kubelet.service
}

ready() {
	curl --silent --fail --max-time 5 --cacert /etc/kubernetes/pki/ca.crt --output /dev/null "https://$1:@PORT@/readyz"
}

init() {
	if [ ! -e @FOUNDING@ ]; then
		echo "$identity" >@FOUNDING@.new
		sync @FOUNDING@.new
		mv @FOUNDING@.new @FOUNDING@
		sync @VOLUME@
	fi
	point @ADDRESS@
	@KUBEADM@ init --config=@INIT@ --ignore-preflight-errors=@IGNOREINIT@
	# From here on no machine begins the cluster again.
	$node initialized --mark
}

# join:
peer() {
	for each in @PEERS@; do
		if ready "$each"; then
			echo "$each"
			return
		fi
	done
	echo "no other control plane is ready; trying again" >&2
	return 1
}

join() {
	other=$(peer)
	# A member without its data would keep the new one of its name out.
	[ -d @ETCD@/member ] || $node etcd-forget
	point "$other"
	$node issue join --server "https://$other:@PORT@"
	kubelet
	@KUBEADM@ join --config=@JOIN@ --ignore-preflight-errors=@IGNOREJOIN@ --skip-phases=kubelet-start
	point @ADDRESS@
}

# :join
recover() {
	point @ADDRESS@
	@KUBEADM@ init phase certs all --config=@INIT@
	for each in admin controller-manager scheduler; do
		@KUBEADM@ init phase kubeconfig "$each" --config=@INIT@
	done
	@KUBEADM@ init phase etcd local --config=@INIT@
	@KUBEADM@ init phase control-plane all --config=@INIT@
	kubelet
	tries=0
	until ready @ADDRESS@; do
		tries=$((tries + 1))
		[ $tries -lt 120 ] || { echo "the API server does not become ready: a majority of etcd's members is needed" >&2; return 1; }
		sleep 5
	done
	# A machine of a newer version brings the cluster's settings and add-ons along.
	@KUBEADM@ init phase upload-config all --config=@INIT@
	for each in @ADDONS@; do
		@KUBEADM@ init phase addon "$each" --config=@INIT@
	done
	@KUBEADM@ init phase mark-control-plane --config=@INIT@
}

for each in @FOUNDING@ @MEMBER@; do
	if [ -e $each ] && [ "$(cat $each)" != "$identity" ]; then
		echo "the volume is that of $(cat $each), not of $identity: attach the right one" >&2
		exit 1
	fi
done
@RESTORE@if [ -e @FOUNDING@ ]; then
	step=init
elif [ -e @MEMBER@ ] && [ -d @ETCD@/member ]; then
	step=recover
else
@DECIDE@
fi
echo "this machine is to $step" >&2
case $step in
init) init ;;
join) join ;;
recover) recover ;;
esac
echo "$identity" >@MEMBER@.new
sync @MEMBER@.new
mv @MEMBER@.new @MEMBER@
rm -f @FOUNDING@
sync @VOLUME@
# Whoever needs all rights has the authority's key; nobody else gets them (M20).
rm -f @JOINFILE@ /etc/kubernetes/super-admin.conf
touch @MARK@
systemctl start --no-block @AFTER@
`
