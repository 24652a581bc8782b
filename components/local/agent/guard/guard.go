// Package guard stands beside the agent that enforces NetworkPolicies on a machine
// and does the two things that the agent does not: a pod whose policies are not in
// force yet sends nothing, and a pod under quarantine loses the connections that
// it has (M21, M40).
//
// What it knows it takes from two places that are right by themselves: the rules
// that the agent has put into the kernel, and the labels of the node's pods. It
// writes one nftables table. While it is away that table stays: new pods wait, and
// who is under quarantine stays there.
package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Options say of which node the pods are guarded.
type Options struct {
	// Kubeconfig is the policy agent's: it reads pods.
	Kubeconfig string
	// Node is the node's name.
	Node string
}

const (
	// look is how often the rules of the agent are read: a new pod waits so long
	// after the agent has heard of it.
	look = 300 * time.Millisecond
	// repair is how soon rules come back that somebody has removed.
	repair = 10 * time.Second
)

// Run guards until the context ends. What fails is logged and tried again.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	if o.Kubeconfig == "" || o.Node == "" {
		return errors.New("kubeconfig and node are required")
	}
	pods, err := watchPods(ctx, o)
	if err != nil {
		return err
	}
	said, applied, when := "", "", time.Time{}
	for {
		rules, err := render(ctx, pods)
		if err == nil && (rules != applied || time.Since(when) > repair) {
			if _, err = run(ctx, rules, "nft", "-f", "-"); err == nil {
				applied, when, said = rules, time.Now(), ""
			}
		}
		if err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			log.Error("rules of pods: will be tried again", "error", said)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pods.changed:
		case <-time.After(look):
		}
	}
}

func render(ctx context.Context, pods *pods) (string, error) {
	saved, err := run(ctx, "", "iptables-save", "-t", "filter")
	if err != nil {
		return "", err
	}
	return hostconfig.PodRules(Known(saved), pods.quarantined()), nil
}

func run(ctx context.Context, input, program string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, program, args...)
	var out, said bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &said
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}

// Known gives the pods whose policies are in force, by the rules that iptables-save
// prints: kube-router sends what a pod sends, by its address, into the chain of the
// pod, and writes the rules of all pods in one transaction.
// https://github.com/cloudnativelabs/kube-router/blob/v2.1.0/pkg/controllers/netpol/pod.go
func Known(saved string) []netip.Addr {
	var known []netip.Addr
	for line := range strings.Lines(saved) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "-A" || fields[1] != "KUBE-ROUTER-FORWARD" {
			continue
		}
		var source, target string
		for i := 2; i+1 < len(fields); i++ {
			switch fields[i] {
			case "-s":
				if fields[i-1] != "!" {
					source = fields[i+1]
				}
			case "-j":
				target = fields[i+1]
			}
		}
		prefix, err := netip.ParsePrefix(source)
		if err == nil && prefix.IsSingleIP() && strings.HasPrefix(target, "KUBE-POD-FW-") {
			known = append(known, prefix.Addr())
		}
	}
	return known
}
