package selfmanaged

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// world is a control plane whose script is run by the real shell, with programs
// that keep account of what they are asked: which clusters exist, who is a member,
// and when the power fails.
type world struct {
	directory string
	index     int // of the control plane
}

// stubs are the programs. Each counts its calls; after call number die-at the power
// fails.
const stubs = `#!/bin/sh
set -eu
w=@W@
name=${0##*/}
read -r count <$w/count
count=$((count + 1))
echo $count >$w/count
read -r at <$w/die-at
echo "$name $*" >>$w/log
result=0
case "$name $*" in
"redoubt-node initialized --mark") touch $w/marked ;;
"redoubt-node initialized") [ ! -e $w/unreachable ] || result=1; [ $result = 1 ] || [ -e $w/marked ] || [ -e $w/others ] || result=3 ;;
"redoubt-node etcd-forget") [ ! -d @R@/var/lib/etcd/member ] || { echo "forgets a member that has its data" >>$w/wrong; }; rm -f $w/stale ;;
"redoubt-node restore"*)
	[ -z "$(ls @R@/var/lib/etcd)" ] || { echo "restores over data" >>$w/wrong; }
	/bin/mkdir @R@/var/lib/etcd/member
	echo restored >$w/cluster
	cp $w/cluster @R@/var/lib/etcd/member/cluster ;;
"redoubt-node issue join"*) [ -e $w/cluster ]; echo join >@R@/etc/kubernetes/join.conf ;;
"redoubt-node issue kubelet"*) echo kubelet >@R@/etc/kubernetes/kubelet.conf ;;
"kubeadm init --config"*)
	if [ ! -e @R@/var/lib/etcd/member/cluster ]; then
		[ ! -e $w/cluster ] || echo "a second cluster" >>$w/wrong
		echo $$ >$w/cluster
		/bin/mkdir -p @R@/var/lib/etcd/member
		cp $w/cluster @R@/var/lib/etcd/member/cluster
	fi
	touch @R@/etc/kubernetes/super-admin.conf ;;
"kubeadm join"*)
	[ -e @R@/etc/kubernetes/kubelet.conf ] && [ -e @R@/etc/kubernetes/join.conf ]
	grep -q "^$(cat $w/ready) api.prod.internal " @R@/etc/hosts || echo "joins through itself" >>$w/wrong
	[ ! -e $w/stale ] || { echo "a member of this name is there already" >&2; result=1; }
	if [ $result = 0 ] && [ ! -e @R@/var/lib/etcd/member/cluster ]; then
		/bin/mkdir -p @R@/var/lib/etcd/member
		cp $w/cluster @R@/var/lib/etcd/member/cluster
	fi ;;
"kubeadm init phase etcd"*) [ -e @R@/var/lib/etcd/member/cluster ] || echo "etcd without its data" >>$w/wrong ;;
"kubeadm init phase upload-config"*) [ ! -e $w/slow ] || echo "asks an API server that is not ready" >>$w/wrong ;;
"curl "*"@OWN@"*) result=7; if [ -e $w/slow ]; then rm -f $w/slow; else [ "$(cat $w/ready)" != "@OWN@" ] || result=0; fi ;;
curl*) [ -e $w/cluster ] && grep -q "https://$(cat $w/ready):" <<-ARGUMENTS || result=7
	$*
	ARGUMENTS
	;;
"mv "* | "rm "* | "touch "* | "sync "* | "mkdir "*) /bin/"$name" "$@" || /usr/bin/"$name" "$@" ;;
esac
[ "$at" != $count ] || kill -9 0
exit $result
`

// controlPlaneText gives the script of a control plane.
func controlPlaneText(t *testing.T, s Spec, index int) string {
	t.Helper()
	for _, file := range must[Rendering](t)(s.Render(now)).ControlPlanes[index].Spec.Parts.Files {
		if file.Path == controlPlaneScript {
			return file.Contents
		}
	}
	t.Fatal("there is no script")
	return ""
}

// newWorld has an empty control plane with the script, the cluster's first being
// number 0.
func newWorld(t *testing.T, text string, index int) world {
	t.Helper()
	w := world{directory: t.TempDir(), index: index}
	r := w.directory + "/root"
	for _, prefix := range []string{"/var/lib/", "/opt/redoubt/", "/etc/"} {
		text = strings.ReplaceAll(text, prefix, r+prefix)
		must[any](t)(nil, os.MkdirAll(r+prefix, 0o755))
	}
	text = strings.ReplaceAll(text, kubeadmProgram, w.directory+"/bin/kubeadm")
	write(t, r+controlPlaneScript, text, 0o700)
	own := map[int]string{0: "10.80.1.10", 1: "10.80.2.10"}[index]
	stub := strings.NewReplacer("@W@", w.directory, "@R@", r, "@OWN@", own).Replace(stubs)
	for _, name := range []string{"kubeadm", "curl", "systemctl", "nft", "sleep", "mv", "rm", "touch", "sync", "mkdir"} {
		write(t, w.directory+"/bin/"+name, stub, 0o755)
	}
	write(t, r+"/opt/redoubt/bin/redoubt-node", stub, 0o755)
	w.machine(t)
	w.volume(t)
	return w
}

func (w world) at(name string) string { return w.directory + "/root" + name }

// machine puts a new instance in the place of the one that was.
func (w world) machine(t *testing.T) {
	t.Helper()
	for _, lost := range []string{"/etc", controlPlaneMark} {
		must[any](t)(nil, os.RemoveAll(w.at(lost)))
	}
	must[any](t)(nil, os.MkdirAll(w.at("/etc/kubernetes"), 0o755))
	write(t, w.at("/etc/hosts"), "127.0.0.1 localhost\n", 0o644)
}

// volume puts a new volume in the place of the one that was.
func (w world) volume(t *testing.T) {
	t.Helper()
	must[any](t)(nil, os.RemoveAll(w.at(volumePath)))
	must[any](t)(nil, os.MkdirAll(w.at(volumePath+"/etcd"), 0o755))
	os.Remove(w.at(etcdPath))
	must[any](t)(nil, os.Symlink(w.at(volumePath+"/etcd"), w.at(etcdPath))) // mounted there on a machine
}

// set writes a fact about the world.
func (w world) set(t *testing.T, name, value string) {
	t.Helper()
	write(t, w.directory+"/"+name, value, 0o644)
}

// run starts the script as its unit does; the power fails after call number die,
// if it is not 0.
func (w world) run(t *testing.T, die int) (asked []string, err error) {
	t.Helper()
	if w.exists(controlPlaneMark) {
		return nil, nil // the unit's condition
	}
	w.set(t, "count", "0\n")
	w.set(t, "die-at", strconv.Itoa(die)+"\n")
	w.set(t, "log", "")
	if _, err := os.Stat(w.directory + "/ready"); err != nil {
		w.set(t, "ready", "10.80.9.9")
	}
	command := exec.Command(w.at(controlPlaneScript))
	command.Env = append(os.Environ(), "PATH="+w.directory+"/bin:"+os.Getenv("PATH"))
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // the power fails for the script alone
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, output)
	}
	return strings.Split(strings.TrimSpace(read(t, w.directory+"/log")), "\n"), err
}

func (w world) exists(name string) bool {
	_, err := os.Stat(w.at(name))
	return err == nil
}

// done wants a control plane of the one cluster, and nothing that is left.
func (w world) done(t *testing.T, when string) {
	t.Helper()
	if wrong, err := os.ReadFile(w.directory + "/wrong"); err == nil {
		t.Errorf("%s: %s", when, wrong)
	}
	for _, wanted := range []string{controlPlaneMark, memberMark, etcdPath + "/member/cluster"} {
		if !w.exists(wanted) {
			t.Errorf("%s: there is no %s", when, wanted)
		}
	}
	for _, unwanted := range []string{foundingMark, "/etc/kubernetes/join.conf", "/etc/kubernetes/super-admin.conf"} {
		if w.exists(unwanted) {
			t.Errorf("%s: %s is left", when, unwanted)
		}
	}
	if own, all := read(t, w.at(etcdPath+"/member/cluster")), read(t, w.directory+"/cluster"); own != all {
		t.Errorf("%s: the member is of cluster %s, not of %s", when, own, all)
	}
	if left, _ := filepath.Glob(w.at(volumePath + "/*.new")); len(left) > 0 {
		t.Errorf("%s: %v is left", when, left)
	}
}

// steps gives what kubeadm and redoubt-node were asked.
func steps(asked []string) string {
	var found []string
	for _, line := range asked {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "kubeadm init phase"):
			found = append(found, strings.Join(words[3:len(words)-1], " "))
		case words[0] == "kubeadm":
			found = append(found, strings.Join(words[:2], " "))
		case words[0] == "redoubt-node" || words[0] == "systemctl":
			found = append(found, strings.Join(words[1:], " "))
		}
	}
	return strings.Join(found, "; ")
}

const (
	kubeletOf1 = "issue kubelet --server https://10.80.1.10:6443; start --no-block kubelet.service"
	kubeletOf2 = "issue kubelet --server https://10.80.2.10:6443; start --no-block kubelet.service"
	after      = "; start --no-block redoubt-approve.service redoubt-join-config.service redoubt-etcd-yield.service"
	phases     = "certs all; kubeconfig admin; kubeconfig controller-manager; kubeconfig scheduler; etcd local; control-plane all; "
	uploads    = "; upload-config all; addon coredns; addon kube-proxy; mark-control-plane"
)

// TestConverge gives for each state that a machine can find what it does.
func TestConverge(t *testing.T) {
	member := func(t *testing.T, w world) {
		write(t, w.at(memberMark), fmt.Sprintf("prod control-plane-%d\n", w.index+1), 0o600)
		write(t, w.at(etcdPath+"/member/cluster"), "1\n", 0o600)
		w.set(t, "cluster", "1\n")
		w.set(t, "marked", "")
	}
	others := func(t *testing.T, w world) {
		w.set(t, "cluster", "1\n")
		w.set(t, "ready", "10.80.3.10")
		w.set(t, "stale", "") // of the machine before
	}
	texts := []string{controlPlaneText(t, aws(), 0), controlPlaneText(t, aws(), 1)}
	for name, each := range map[string]struct {
		index int
		state func(*testing.T, world)
		want  string // nothing: it is to fail and change nothing
		error string
	}{
		"first of all":                    {0, func(*testing.T, world) {}, "initialized; kubeadm init; initialized --mark" + after, ""},
		"first, store not reachable":      {0, func(t *testing.T, w world) { w.set(t, "unreachable", "") }, "", "cannot be told"},
		"first, on a new volume":          {0, func(t *testing.T, w world) { others(t, w); w.set(t, "marked", "") }, "initialized; etcd-forget; issue join --server https://10.80.3.10:6443; " + kubeletOf1 + "; kubeadm join" + after, ""},
		"first, new volume, marker lost":  {0, func(t *testing.T, w world) { others(t, w); w.set(t, "others", "") }, "initialized; etcd-forget; issue join --server https://10.80.3.10:6443; " + kubeletOf1 + "; kubeadm join" + after, ""},
		"first, new volume, nobody ready": {0, func(t *testing.T, w world) { w.set(t, "marked", "") }, "", "no other control plane is ready"},
		"first, on its volume":            {0, func(t *testing.T, w world) { member(t, w); w.set(t, "ready", "10.80.1.10"); w.set(t, "slow", "") }, phases + kubeletOf1 + uploads + after, ""},
		"second, before all":              {1, func(*testing.T, world) {}, "", "no other control plane is ready"},
		"second, new volume":              {1, others, "etcd-forget; issue join --server https://10.80.3.10:6443; " + kubeletOf2 + "; kubeadm join" + after, ""},
		"second, on its volume":           {1, func(t *testing.T, w world) { member(t, w); w.set(t, "ready", "10.80.2.10") }, phases + kubeletOf2 + uploads + after, ""},
		"second, an attempt before was cut": {1, func(t *testing.T, w world) {
			others(t, w)
			os.Remove(w.directory + "/stale")
			write(t, w.at(etcdPath+"/member/cluster"), "1\n", 0o600)
		}, "issue join --server https://10.80.3.10:6443; " + kubeletOf2 + "; kubeadm join" + after, ""},
		"volume of another machine": {1, func(t *testing.T, w world) { write(t, w.at(memberMark), "prod control-plane-3\n", 0o600) }, "", "attach the right one"},
		"volume of another cluster": {0, func(t *testing.T, w world) { write(t, w.at(foundingMark), "test control-plane-1\n", 0o600) }, "", "attach the right one"},
		"volume emptied for a restore": {0, func(t *testing.T, w world) {
			member(t, w)
			os.RemoveAll(w.at(etcdPath + "/member"))
			w.set(t, "ready", "10.80.2.10")
		}, "initialized; etcd-forget; issue join --server https://10.80.2.10:6443; " + kubeletOf1 + "; kubeadm join" + after, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, texts[each.index], each.index)
			each.state(t, w)
			asked, err := w.run(t, 0)
			if each.want == "" {
				if err == nil || !strings.Contains(err.Error(), each.error) || strings.Contains(strings.Join(asked, " "), "kubeadm") || w.exists(controlPlaneMark) {
					t.Errorf("%v, after %s", err, steps(asked))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := steps(asked); got != each.want {
				t.Errorf("got  %s\nwant %s", got, each.want)
			}
			w.done(t, name)
			own := map[int]string{0: "10.80.1.10", 1: "10.80.2.10"}[each.index]
			if hosts := read(t, w.at("/etc/hosts")); hosts != "127.0.0.1 localhost\n"+own+" api.prod.internal # redoubt\n" {
				t.Errorf("names: %s", hosts)
			}
			if asked, err := w.run(t, 0); asked != nil || err != nil {
				t.Error("a later boot begins again")
			}
		})
	}
}

// TestConvergeAfterPowerFailure lets the power fail after every single command, then runs the script again: on the same machine, on a new one with the
// volume, and on a new one with a new volume.
func TestConvergeAfterPowerFailure(t *testing.T) {
	for _, each := range []struct {
		name  string
		index int
	}{{"first", 0}, {"second", 1}} {
		text := controlPlaneText(t, aws(), each.index)
		for _, loss := range []string{"nothing", "the machine", "machine and volume"} {
			t.Run(each.name+" loses "+loss, func(t *testing.T) {
				t.Parallel()
				step := 1
				if loss != "nothing" {
					step = 2 // less of what a call did is left, and more of the states are the same
				}
				for call := 1; ; call += step {
					w := newWorld(t, text, each.index)
					if each.index > 0 {
						w.set(t, "cluster", "1\n")
						w.set(t, "ready", "10.80.1.10")
						w.set(t, "stale", "")
					}
					asked, err := w.run(t, call)
					if err == nil {
						if call < 15 {
							t.Errorf("only %d calls were made", call)
						}
						return
					}
					at := "after " + asked[len(asked)-1]
					w.lose(t, loss)
					if asked, err := w.run(t, 0); err != nil {
						t.Fatalf("%s: %v, after %s", at, err, steps(asked))
					}
					w.done(t, at)
				}
			})
		}
	}
}

// lose takes things away, and lets the rest of the cluster be as it then is.
func (w world) lose(t *testing.T, what string) {
	t.Helper()
	own := map[int]string{0: "10.80.1.10", 1: "10.80.2.10"}[w.index]
	if w.exists(memberMark) && !w.exists(foundingMark) {
		w.set(t, "ready", own) // once it runs again
	}
	if what == "nothing" {
		return
	}
	w.machine(t)
	if what == "machine and volume" {
		w.volume(t)
		if _, err := os.Stat(w.directory + "/marked"); err == nil || w.index > 0 {
			w.set(t, "ready", "10.80.3.10") // others have the cluster
			w.set(t, "stale", "")
		} else {
			os.Remove(w.directory + "/cluster") // nobody had joined: it is gone with its volume
		}
	}
}

// restoring is a cluster that goes back to a snapshot for the next hours.
func restoring(t *testing.T, until time.Duration) string {
	s := aws()
	s.Restore = &Restore{Snapshot: "etcd/a.db", Until: now.Add(time.Hour).Format(time.RFC3339)}
	text := controlPlaneText(t, s, 1)
	planned := fmt.Sprint(now.Add(time.Hour).Unix())
	if !strings.Contains(text, planned) {
		t.Fatal("the script knows no time")
	}
	return strings.ReplaceAll(text, planned, fmt.Sprint(time.Now().Add(until).Unix()))
}

// TestRestore: a replaced machine puts its data aside and takes the snapshot's,
// once, whenever the power fails; and not any more when the time is over.
func TestRestore(t *testing.T) {
	text := restoring(t, time.Hour)
	old := func(w world) {
		write(t, w.at(memberMark), "prod control-plane-2\n", 0o600)
		write(t, w.at(etcdPath+"/member/cluster"), "old\n", 0o600)
		w.set(t, "marked", "")
		w.set(t, "ready", "10.80.2.10")
	}
	for call := 1; ; call++ {
		w := newWorld(t, text, 1)
		old(w)
		asked, err := w.run(t, call)
		if err == nil {
			if want := "restore --snapshot etcd/a.db --data-dir " + w.at(volumePath+"/etcd") + "; " + phases + kubeletOf2 + uploads + after; steps(asked) != want {
				t.Errorf("got  %s\nwant %s", steps(asked), want)
			}
			break
		}
		at := "after " + asked[len(asked)-1]
		if _, err := w.run(t, 0); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		w.done(t, at)
		aside := must[[]string](t)(filepath.Glob(w.at(volumePath + "/before-*")))
		if len(aside) != 1 || read(t, aside[0]+"/cluster") != "old\n" {
			t.Errorf("%s: the data from before is not kept: %v", at, aside)
		}
		if call%5 > 0 {
			continue
		}
		// The next machine takes up what this one had.
		w.machine(t)
		if asked, err := w.run(t, 0); err != nil || strings.Contains(steps(asked), "restore ") {
			t.Errorf("%s: %v, after %s", at, err, steps(asked))
		}
	}
	// Next month the volume is lost.
	w := newWorld(t, restoring(t, -time.Hour), 1)
	w.set(t, "cluster", "1\n")
	w.set(t, "ready", "10.80.3.10")
	if asked, err := w.run(t, 0); err != nil || strings.Contains(steps(asked), "restore ") || !strings.Contains(steps(asked), "kubeadm join") {
		t.Errorf("%v, after %s", err, steps(asked))
	}
}
