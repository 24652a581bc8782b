package boot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/redoubt-dev/redoubt/test/kubebench"
)

// benchmarkTargets are kube-bench's parts for a role.
const (
	// Not "policies": those are of package baseline, which the second stack applies.
	planeTargets  = "master,etcd,controlplane,node"
	workerTargets = "node"
)

// KubeBench runs kube-bench inside a machine, where it sees that machine's
// processes and files at their standard paths.
func (r *Rehearsal) KubeBench(ctx context.Context, root, machine, targets string) (map[string]kubebench.Finding, error) {
	config, benchmark, err := kubebench.ConfigDir(root)
	if err != nil {
		return nil, err
	}
	inside := "/var/lib/kube-bench"
	outside := r.File(machine, inside)
	defer os.RemoveAll(outside)
	err = errors.Join(
		kubebench.CopyTree(filepath.Join(config, benchmark), filepath.Join(outside, "cfg", benchmark)),
		kubebench.CopyFile(filepath.Join(config, "config.yaml"), filepath.Join(outside, "cfg", "config.yaml"), 0o600),
		place(filepath.Join(r.Bin, "kube-bench"), filepath.Join(outside, "kube-bench")))
	if err != nil {
		return nil, err
	}
	// The kubelet reads its own file and not the one that kubeadm writes beside it.
	settings := filepath.Join(outside, "cfg", "config.yaml")
	contents, err := os.ReadFile(settings)
	if err != nil {
		return nil, err
	}
	const before, own = `      - "/var/lib/kubelet/config.yaml"`, `      - "/etc/kubernetes/kubelet.yaml"`
	if !strings.Contains(string(contents), before) {
		return nil, errors.New("kube-bench looks for the kubelet's configuration in other places than it did")
	}
	if err := writeFile(settings, strings.ReplaceAll(string(contents), before, own), 0o600); err != nil {
		return nil, err
	}
	kubeconfig, err := os.ReadFile(r.File(r.Planes()[0], adminConfig))
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(outside, "kubeconfig"), string(kubeconfig), 0o600); err != nil {
		return nil, err
	}
	// kube-bench's checks are written for a /bin/sh that is bash; under Debian's
	// dash 5.1.1 fails for its syntax alone. Only this process sees the change.
	const underBash = `mount --bind /bin/bash "$(readlink -f /bin/sh)" && exec env "$@"`
	command := r.Command(ctx, machine, "unshare", "--mount", "--propagation", "private", "/bin/bash", "-c", underBash, "kube-bench",
		"PATH=/usr/sbin:/usr/bin", "KUBECONFIG="+inside+"/kubeconfig", "HOME="+inside,
		inside+"/kube-bench", "run", "--targets", targets, "--benchmark", benchmark,
		"--config-dir", inside+"/cfg", "--config", inside+"/cfg/config.yaml", "--json")
	var out, faults bytes.Buffer
	command.Stdout, command.Stderr = &out, &faults
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("kube-bench: %w: %s", err, faults.String())
	}
	findings, err := kubebench.Parse(out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, faults.String())
	}
	return findings, nil
}

// sections that must have run: a check that could not look is no pass.
var planeSections = []string{"1.1.", "1.2.", "1.3.", "1.4.", "2.", "3.", "4.1.", "4.2."}

// JudgeKubeBench runs kube-bench on a control plane and on a worker, and compares
// with the reviewed list in a file. Root is that of the repository.
func (r *Rehearsal) JudgeKubeBench(ctx context.Context, root, exceptionsFile string) error {
	exceptions, err := kubebench.ReadExceptions(exceptionsFile)
	if err != nil {
		return err
	}
	var errs []error
	for machine, targets := range map[string]string{r.Planes()[0]: planeTargets, r.Workers()[0]: workerTargets} {
		findings, err := r.KubeBench(ctx, root, machine, targets)
		if err != nil {
			return err
		}
		total := kubebench.Totals(findings)
		r.log("%s: kube-bench: %d PASS, %d FAIL, %d WARN", machine, total["PASS"], total["FAIL"], total["WARN"])
		if targets == planeTargets {
			for _, section := range planeSections {
				if !ran(findings, section) {
					errs = append(errs, fmt.Errorf("no check of section %s ran", section))
				}
			}
		}
		if err := kubebench.Judge(findings, exceptions); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", machine, err))
		}
	}
	return errors.Join(errs...)
}

func ran(findings map[string]kubebench.Finding, section string) bool {
	for id := range findings {
		if strings.HasPrefix(id, section) {
			return true
		}
	}
	return false
}
