// Command redoubt looks after a running cluster, whoever made it: it reviews who
// can do what, what admission policies would refuse, isolates what is suspect, and
// collects evidence. It needs a kubeconfig and nothing else; see `make access` and
// docs/incidents.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const usage = `usage: redoubt COMMAND [flags]

  access       who can do what, by group, and whose rights each can take on
                 --json                  for programs
                 --all                   with Kubernetes' own identities
                 --subject KIND:NAME     one alone: group:oidc:operators, user:NAME, account:NAMESPACE/NAME
  policies     what the admission policies would refuse of what runs, workload by workload
                 --settings FILE         registries and the like, as in redoubt:baseline → policies
                 --registry NAME,NAME    the registries alone, where there are no settings
                 --json                  for programs
  quarantine   isolate a pod, a namespace or a node, with the pods in it
  release      lift that
                 --target TARGET         pod/NAMESPACE/NAME, namespace/NAME or node/NAME
                 --reason TEXT           with quarantine: why, in a sentence
  evidence     collect what there is about a target into an archive
                 --target TARGET, --reason TEXT
                 --out DIRECTORY         where the archive goes (evidence)
                 --audit FILE            the API server's audit log; repeatable, with * for several
                 --node-state DIRECTORY  files about each node, in a directory by its name
  custody      verify an archive and the record of who had it
                 --archive FILE
                 --who NAME --to NAME    hand it over; --note TEXT
  audit-log    verify the audit log of a self-managed cluster, as it was copied from its bucket
                 --from DIRECTORY        the copy
                 --out DIRECTORY         unpack it into NODE.log, for evidence --audit

flags of every command but custody and audit-log:
  --kubeconfig FILE   the cluster; by default KUBECONFIG, as kubectl reads it
  --context NAME      one of its contexts
`

// commands by name.
var commands = map[string]func(ctx context.Context, arguments []string, out io.Writer) error{
	"access": runAccess, "policies": runPolicies, "quarantine": runQuarantine, "release": runRelease, "evidence": runEvidence, "custody": runCustody, "audit-log": runAuditLog,
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, out io.Writer) error {
	if len(arguments) == 0 || commands[arguments[0]] == nil {
		return flag.ErrHelp
	}
	return commands[arguments[0]](ctx, arguments[1:], out)
}

// cluster are the flags that say which cluster is meant.
type cluster struct{ kubeconfig, context string }

func (c *cluster) flags(set *flag.FlagSet) {
	set.SetOutput(io.Discard)
	set.StringVar(&c.kubeconfig, "kubeconfig", "", "")
	set.StringVar(&c.context, "context", "", "")
}

// parse reads flags, and refuses what is none.
func parse(set *flag.FlagSet, arguments []string) error {
	if err := set.Parse(arguments); err != nil {
		return fmt.Errorf("%w; `redoubt` alone shows the usage", err)
	}
	if set.NArg() > 0 {
		return fmt.Errorf("%q is no flag; `redoubt` alone shows the usage", set.Arg(0))
	}
	return nil
}

func (c cluster) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("which cluster? %w; name one with --kubeconfig FILE, or set KUBECONFIG", err)
	}
	config.QPS, config.Burst = 50, 100 // the API server's own fairness protects it
	return config, nil
}

func (c cluster) client() (*kubernetes.Clientset, error) {
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
