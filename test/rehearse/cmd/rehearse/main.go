// Command rehearse drives the real Pulumi engine over an environment of this repository; see `make`.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"golang.org/x/term"
	"k8s.io/klog/v2"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/rehearse/redoubt"
)

const usage = `usage: rehearse COMMAND [flags]

  up           make the environment what its settings say
  preview      tell what up would do
  refresh      look for drift and record it; the next up repairs it
  destroy      remove the environment (asks, unless --yes)
  outputs      print the stack's outputs
  status       print what every machine and service does; fails unless all are ready
  node-state   write what every machine does and holds, for evidence, into --out
  verify-info  print, as JSON, what a test needs to reach the environment

flags:
  --env NAME               the environment, and the stack's name (local)
  --config-file FILE       its settings (stacks/Pulumi.<env>.yaml)
  --set KEY=VALUE          override a setting, such as redoubt:workers=2 or redoubt:encryption.keyName=key-2; repeatable
  --parallel N             work on so many resources at a time; 32 where most of them wait for a cloud (four for each processor)
  --refresh                with up and preview: look at what really exists first
  --stand-ins              use our stand-ins even where the official plugins are installed
  --policy-pack PATH       judge every resource with this pack; repeatable
  --json                   with outputs: as JSON
  --show-secrets           with outputs: readable
  --yes                    do not ask
  --out DIRECTORY          with node-state: where it goes
`

type flags struct {
	environment, config, out        string
	set, packs                      list
	refresh, standIns, json, secret bool
	yes                             bool
	parallel                        int
}

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func main() {
	klog.SetLogger(logr.Discard()) // what goes wrong comes back as errors
	// The first interrupt lets the engine finish what it is doing; the second ends everything. A kill is no worse than
	// an interrupt: the next run converges.
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "\nInterrupted: what is being done is brought to an end. Interrupt again to stop at once.")
		cancel()
		<-signals
		os.Exit(130) // 128 + SIGINT, as shells count
	}()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	var failure *rehearse.Failure
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case errors.As(err, &failure) && failure.Interrupted:
		fmt.Fprintf(os.Stderr, "\n%v\n", err)
		os.Exit(130)
	default:
		fmt.Fprintf(os.Stderr, "\nerror: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, stdin *os.File, stdout *os.File) error {
	if len(arguments) == 0 {
		return flag.ErrHelp
	}
	f, err := parse(arguments[1:])
	if err != nil {
		return err
	}
	root, err := redoubt.Root()
	if err != nil {
		return err
	}
	options := redoubt.Options(root, f.environment)
	options.Refresh, options.StandIns, options.PolicyPacks, options.Parallel = f.refresh, f.standIns, f.packs, f.parallel
	options.Output, options.Color = stdout, term.IsTerminal(int(stdout.Fd())) && os.Getenv("NO_COLOR") == ""
	if f.config != "" {
		if options.ConfigFile, err = filepath.Abs(f.config); err != nil {
			return err
		}
	}
	options.Set = map[string]string{}
	for _, pair := range f.set {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("--set %s: write <namespace>:<key>=<value>, such as redoubt:workers=2", pair)
		}
		options.Set[key] = value
	}
	if err := redoubt.Export(root, os.Getenv("REDOUBT_BIN_DIR")); err != nil {
		return err
	}
	var result rehearse.Result
	switch command := arguments[0]; command {
	case "up":
		result, err = rehearse.New(options).Up(ctx)
	case "preview":
		result, err = rehearse.New(options).Preview(ctx)
	case "refresh":
		result, err = rehearse.New(options).Refresh(ctx)
	case "destroy":
		if err := confirm(f, stdin, stdout); err != nil {
			return err
		}
		result, err = rehearse.New(options).Destroy(ctx)
	case "status":
		healthy, err := redoubt.Status(stdout, rehearse.New(options).Directory())
		if err == nil && !healthy {
			err = errors.New("not everything is ready; the logs are in " + filepath.Join(rehearse.New(options).Directory(), "log"))
		}
		return err
	case "node-state":
		if f.out == "" {
			return errors.New("where to? write --out DIRECTORY")
		}
		return redoubt.NodeState(ctx, rehearse.New(options).Directory(), f.out)
	case "outputs", "verify-info":
		options.Output = os.Stderr // what is printed is for programs
		return outputs(ctx, command, options, f, stdout)
	default:
		return flag.ErrHelp
	}
	if err != nil {
		return err
	}
	rehearse.Summary(stdout, result, next(f.environment, result)...)
	return nil
}

func parse(arguments []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet("rehearse", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&f.environment, "env", "local", "")
	set.StringVar(&f.config, "config-file", "", "")
	set.Var(&f.set, "set", "")
	set.Var(&f.packs, "policy-pack", "")
	set.BoolVar(&f.refresh, "refresh", false, "")
	set.BoolVar(&f.standIns, "stand-ins", false, "")
	set.BoolVar(&f.json, "json", false, "")
	set.BoolVar(&f.secret, "show-secrets", false, "")
	set.BoolVar(&f.yes, "yes", false, "")
	set.StringVar(&f.out, "out", "", "")
	set.IntVar(&f.parallel, "parallel", 0, "")
	if err := set.Parse(arguments); err != nil {
		return f, fmt.Errorf("%w; `rehearse` alone shows the usage", err)
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("%q is no flag; `rehearse` alone shows the usage", set.Arg(0))
	}
	return f, nil
}

// confirm asks before everything is deleted.
func confirm(f flags, stdin *os.File, stdout io.Writer) error {
	if f.yes {
		return nil
	}
	if !term.IsTerminal(int(stdin.Fd())) {
		return errors.New("destroy deletes the cluster and its data: add --yes")
	}
	fmt.Fprintf(stdout, "This deletes environment %s with all its data. Type its name to go on: ", f.environment)
	var answer string
	if _, err := fmt.Fscanln(stdin, &answer); err != nil || answer != f.environment {
		return errors.New("not confirmed; nothing was changed")
	}
	return nil
}

// next are the commands to go on with after an up.
func next(environment string, result rehearse.Result) []string {
	suffix := ""
	if environment != "local" {
		suffix = " ENV=" + environment
	}
	var out []string
	if path := result.Output("kubeconfigPath"); path != "" {
		out = append(out, "export KUBECONFIG="+path)
	}
	return append(out, "make verify"+suffix+"    # attack it, row by row", "make down"+suffix+"      # remove all of it")
}

// outputs prints the stack's outputs, or with what else a test needs.
func outputs(ctx context.Context, command string, options rehearse.Options, f flags, stdout io.Writer) error {
	driver := rehearse.New(options)
	all, err := driver.Outputs(ctx)
	if err != nil {
		return err
	}
	values := map[string]any{}
	for name, output := range all {
		values[name] = output.Value
		if output.Secret && !f.secret {
			values[name] = "[secret]"
		}
	}
	if command == "outputs" && !f.json {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			value := values[name]
			text, ok := value.(string)
			if !ok {
				encoded, err := json.Marshal(value)
				if err != nil {
					return err
				}
				text = string(encoded)
			}
			if _, err := fmt.Fprintf(stdout, "%s: %s\n", name, text); err != nil {
				return err
			}
		}
		return nil
	}
	var print any = values
	if command == "verify-info" {
		print = map[string]any{
			"environment": options.Environment, "repository": options.Repository, "directory": driver.Directory(),
			"programs": driver.Programs(), "outputs": values,
		}
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(print)
}
