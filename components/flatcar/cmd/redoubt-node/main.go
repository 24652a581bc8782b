// Command redoubt-node is what the machines of a self-managed cluster do by
// themselves; see package agent for its subcommands.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"k8s.io/klog/v2"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

const usage = `usage: redoubt-node <command> [flags]      (all: [--config ` + nodeconfig.File + `])

workers:
  fetch-join [--out FILE] [--timeout 30m]       bring the join configuration from the store
control planes, before they are nodes:
  initialized [--mark]                          does the cluster exist? exit 0 yes, 3 no
  issue join [--out FILE] [--server URL] [--timeout 30m]
                                                a credential of minutes for kubeadm join
  issue kubelet [--out FILE] [--server URL]     the kubelet's own kubeconfig
  etcd-forget [--data-dir DIR] [--timeout 10m]  remove this machine's lost member from etcd
control planes, for good:
  approve [--runtime-dir DIR]                   answer kubelets' requests, look after nodes
  join-config rotate                            make tokens, write join configurations
  kms                                           KMS v2 plugin of the API server
  reencrypt                                     have what is stored under another key written anew
  etcd-yield [--timeout 8m]                     before the machine stops: wait until etcd can do without it
  snapshot [--out FILE]                         put a snapshot of etcd into the bucket
  audit-ship [--state-dir DIR]                  copy the API server's audit log into its bucket
  restore [--snapshot KEY|FILE] --data-dir DIR  make a data directory of a snapshot
`

// notInitialized is the exit status for "the cluster does not exist", which no
// failure has.
const notInitialized = 3

// gcPercent trades a little processor time for memory: it runs on every control
// plane beside the API server.
const gcPercent = 40

var errNotInitialized = errors.New("the cluster does not exist yet")

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	syscall.Umask(0o077)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2) // what is wrong was printed already
	case errors.Is(err, errNotInitialized):
		os.Exit(notInitialized)
	case err != nil:
		fmt.Fprintln(os.Stderr, "redoubt-node:", err)
		os.Exit(1)
	}
}

// invocation is a command line as it was read.
type invocation struct {
	*agent.Agent
	out, server, data, snapshot, runtime, state string
	mark                                        bool
	timeout                                     time.Duration
}

// command is a subcommand: the flags it has beside --config, and what it does.
type command struct {
	flags []string
	do    func(context.Context, invocation, io.Writer) error
}

var commands = map[string]command{
	"fetch-join": {[]string{"out", "timeout"}, func(ctx context.Context, i invocation, _ io.Writer) error {
		return i.FetchJoin(ctx, i.out)
	}},
	"initialized": {[]string{"mark"}, func(ctx context.Context, i invocation, _ io.Writer) error {
		if i.mark {
			return i.MarkInitialized(ctx)
		}
		exists, err := i.Initialized(ctx)
		if err == nil && !exists {
			err = errNotInitialized
		}
		return err
	}},
	"issue join": {[]string{"out", "server", "timeout"}, func(ctx context.Context, i invocation, _ io.Writer) error {
		return i.IssueJoin(ctx, i.server, i.out)
	}},
	"issue kubelet": {[]string{"out", "server"}, func(_ context.Context, i invocation, _ io.Writer) error {
		return i.IssueKubelet(i.server, i.out)
	}},
	"etcd-forget": {[]string{"data-dir", "timeout"}, func(ctx context.Context, i invocation, _ io.Writer) error {
		return i.ForgetEtcd(ctx, i.data)
	}},
	"etcd-yield": {[]string{"timeout"}, func(ctx context.Context, i invocation, _ io.Writer) error {
		return i.YieldEtcd(ctx)
	}},
	"approve": {[]string{"runtime-dir"}, func(ctx context.Context, i invocation, _ io.Writer) error {
		return i.Approve(ctx, i.runtime)
	}},
	"join-config rotate": {nil, func(ctx context.Context, i invocation, _ io.Writer) error {
		return i.RotateJoinConfig(ctx)
	}},
	"kms":       {nil, func(ctx context.Context, i invocation, _ io.Writer) error { return i.ServeKMS(ctx) }},
	"reencrypt": {nil, func(ctx context.Context, i invocation, _ io.Writer) error { return i.Reencrypt(ctx) }},
	"snapshot": {[]string{"out"}, func(ctx context.Context, i invocation, stdout io.Writer) error {
		key, err := i.Snapshot(ctx, i.out)
		if err == nil {
			_, err = fmt.Fprintln(stdout, key)
		}
		return err
	}},
	"audit-ship": {[]string{"state-dir"}, func(ctx context.Context, i invocation, _ io.Writer) error {
		return i.ShipAudit(ctx, i.state)
	}},
	"restore": {[]string{"snapshot", "data-dir"}, func(ctx context.Context, i invocation, _ io.Writer) error {
		return i.Restore(ctx, i.snapshot, i.data)
	}},
}

// defaults of --out and --timeout, by subcommand.
var (
	outputs  = map[string]string{"fetch-join": nodeconfig.JoinFile, "issue join": nodeconfig.JoinFile, "issue kubelet": "/etc/kubernetes/kubelet.conf"}
	timeouts = map[string]time.Duration{"fetch-join": 30 * time.Minute, "issue join": 30 * time.Minute, "etcd-forget": 10 * time.Minute, "etcd-yield": 8 * time.Minute}
)

func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) error {
	name, rest := "", arguments
	for _, words := range []int{2, 1} {
		if len(arguments) < words {
			continue
		}
		joined := arguments[0]
		if words == 2 {
			joined += " " + arguments[1]
		}
		if _, found := commands[joined]; found {
			name, rest = joined, arguments[words:]
			break
		}
	}
	if name == "" {
		fmt.Fprint(stderr, usage)
		return flag.ErrHelp
	}
	flags := flag.NewFlagSet("redoubt-node "+name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	var i invocation
	config := flags.String("config", nodeconfig.File, "configuration `file`")
	for _, each := range commands[name].flags {
		switch each {
		case "out":
			flags.StringVar(&i.out, each, outputs[name], "`file` to write, mode 0600")
		case "server":
			flags.StringVar(&i.server, each, "", "`URL` of an API server; the endpoint by default")
		case "data-dir":
			flags.StringVar(&i.data, each, "/var/lib/etcd", "etcd's data `directory`")
		case "snapshot":
			flags.StringVar(&i.snapshot, each, "", "`key` in the snapshots' bucket, or a file's absolute path; the newest by default")
		case "runtime-dir":
			flags.StringVar(&i.runtime, each, "/run/redoubt/approve", "`directory` for the approver's credential")
		case "state-dir":
			flags.StringVar(&i.state, each, "/var/lib/redoubt/audit-ship", "`directory` in which to remember what is stored")
		case "mark":
			flags.BoolVar(&i.mark, each, false, "note in the store that the cluster exists")
		case "timeout":
			flags.DurationVar(&i.timeout, each, timeouts[name], "how `long` to try")
		}
	}
	if err := flags.Parse(rest); err != nil {
		return flag.ErrHelp // printed by the flag package
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	klog.SetSlogLogger(log) // client-go's own messages, in the same form
	var err error
	if i.Agent, err = agent.New(*config, agent.Options{}, log); err != nil {
		return err
	}
	if i.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, i.timeout)
		defer cancel()
	}
	return commands[name].do(ctx, i, stdout)
}
