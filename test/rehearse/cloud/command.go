package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/redoubt-dev/redoubt/test/rehearse/redoubt"
)

const usage = `usage: %s --env NAME [flags]

Rehearses an environment with no account: its stack on a simulated cloud, its baseline in a real Kubernetes of this
machine. As root, machines that run themselves boot from what the cloud was given, and are attacked. Everything is taken
down at the end.

  --env NAME         the environment, such as %s-prod
  --config-file FILE its settings (stacks/Pulumi.<env>.yaml)
  --set KEY=VALUE    override a setting, such as redoubt:kubernetesVersion=v1.35.4; repeatable
  --keep             leave everything up; machines that boot here, until you interrupt
  --clear            only remove what an earlier run kept, or was killed over
  --no-kubernetes    leave out the cluster, also one that boots, and the baseline
  --json             print the report as JSON
`

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 + SIGINT, as shells count
)

// Platform gives the rehearsal of an environment: root is the repository.
type Platform func(root, environment string) (Rehearsal, error)

// Main is the command of one cloud. It gives the exit code.
func Main(name, platform string, of Platform) int {
	klog.SetLogger(logr.Discard()) // what goes wrong comes back as errors
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signal.Ignore(syscall.SIGPIPE) // nobody reads any more: what is up is still taken down
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "\nInterrupted: the cluster on this machine is removed. Interrupt again to stop at once.")
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "\nStopped. What is left is removed by the next rehearsal, or by --clear.")
		os.Exit(exitInterrupted)
	}()
	report, err := command(ctx, os.Args[1:], of, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(os.Stderr, usage, name, platform)
		return exitUsage
	case err != nil && ctx.Err() != nil:
		fmt.Fprintf(os.Stderr, "\n%v\n", err)
		return exitInterrupted
	case err != nil:
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		return exitFailed
	case report == nil || report.Passed:
		return 0
	case report.Interrupted:
		return exitInterrupted
	}
	return exitFailed
}

// command runs the command line. Progress goes to stderr where the report is for programs.
func command(ctx context.Context, arguments []string, of Platform, stdout, stderr io.Writer) (*Report, error) {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	environment := set.String("env", "", "")
	keep, clearOnly := set.Bool("keep", false, ""), set.Bool("clear", false, "")
	without, asJSON := set.Bool("no-kubernetes", false, ""), set.Bool("json", false, "")
	file := set.String("config-file", "", "")
	var overrides list
	set.Var(&overrides, "set", "")
	if err := set.Parse(arguments); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w; --help shows the usage", err)
	}
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("%q is no flag; --help shows the usage", set.Arg(0))
	case *environment == "":
		return nil, flag.ErrHelp
	}
	root, err := redoubt.Root()
	if err != nil {
		return nil, err
	}
	r, err := of(root, *environment)
	if err != nil {
		return nil, err
	}
	r.Keep, r.WithoutKubernetes, r.Output = *keep, *without, stdout
	if *asJSON {
		r.Output = stderr
	}
	if *file != "" {
		if r.ConfigFile, err = filepath.Abs(*file); err != nil {
			return nil, err
		}
	}
	r.Set = map[string]string{}
	for _, pair := range overrides {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("--set %s: write <namespace>:<key>=<value>, such as redoubt:kubernetesVersion=v1.35.4", pair)
		}
		r.Set[key] = value
	}
	if *clearOnly {
		return nil, r.Clear(ctx)
	}
	report, err := r.Run(ctx)
	if err != nil {
		return nil, err
	}
	if !*asJSON {
		report.Print(stdout)
		return report, nil
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	return report, encoder.Encode(report)
}

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }
