// Command redoubt-agent is the automation inside the machines of a local cluster:
// certificates, bootstrap objects and request approval on the control plane, the
// policy agent's certificate and the read-only registry on nodes. It also makes
// the images for that.
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
	"strings"
	"syscall"

	"k8s.io/klog/v2"

	"github.com/redoubt-dev/redoubt/components/local/agent"
	"github.com/redoubt-dev/redoubt/components/local/agent/guard"
	"github.com/redoubt-dev/redoubt/components/local/agent/identity"
	"github.com/redoubt-dev/redoubt/components/local/agent/images"
)

const usage = `usage: redoubt-agent <command> [flags]

  control-plane --config FILE
        issue certificates, keep bootstrap objects applied, approve nodes' requests
  policy-identity --kubeconfig FILE --ca FILE --node NAME --file FILE
        keep the client certificate of a node's policy agent
  pod-guard --kubeconfig FILE --node NAME
        hold back pods that no policy holds yet, and cut off those under quarantine
  registry --root DIR --listen 127.0.0.1:5000
        serve an image directory, read-only
  image --binary FILE --name redoubt.local/NAME:TAG --out DIR [--entrypoint "COMMAND..."] [--user 65535]
        make an image of one static binary and print NAME@DIGEST
`

// gcPercent trades a little processor time, of which the agent uses next to none,
// for memory: it runs on every machine beside the workload.
const gcPercent = 40

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2) // what is wrong was printed already
	case err != nil:
		fmt.Fprintln(os.Stderr, "redoubt-agent:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, stdout, stderr io.Writer) error {
	if len(arguments) == 0 {
		fmt.Fprint(stderr, usage)
		return flag.ErrHelp
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	klog.SetSlogLogger(log) // client-go's own messages, in the same form
	command, arguments := arguments[0], arguments[1:]
	flags := flag.NewFlagSet("redoubt-agent "+command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	switch command {
	case "control-plane":
		config := flags.String("config", "/etc/kubernetes/agent.json", "configuration `file`")
		if err := parse(flags, arguments); err != nil {
			return err
		}
		return agent.Run(ctx, *config, log)
	case "policy-identity":
		var options identity.Options
		flags.StringVar(&options.Kubeconfig, "kubeconfig", "", "the kubelet's `file`")
		flags.StringVar(&options.CA, "ca", "", "`file` of the cluster's authority")
		flags.StringVar(&options.Node, "node", "", "`name` of the node")
		flags.StringVar(&options.File, "file", "", "`file` for the certificate and its key")
		if err := parse(flags, arguments, "kubeconfig", "ca", "node", "file"); err != nil {
			return err
		}
		return identity.Run(ctx, options, log)
	case "pod-guard":
		var options guard.Options
		flags.StringVar(&options.Kubeconfig, "kubeconfig", "", "the policy agent's `file`")
		flags.StringVar(&options.Node, "node", "", "`name` of the node")
		if err := parse(flags, arguments, "kubeconfig", "node"); err != nil {
			return err
		}
		return guard.Run(ctx, options, log)
	case "registry":
		root := flags.String("root", "", "image `directory` to serve")
		listen := flags.String("listen", "127.0.0.1:5000", "loopback `address` to listen on")
		if err := parse(flags, arguments, "root"); err != nil {
			return err
		}
		return images.Serve(ctx, *root, *listen, log)
	case "image":
		var image images.Image
		flags.StringVar(&image.Binary, "binary", "", "static Linux `program`")
		flags.StringVar(&image.Name, "name", "", "full `name` with registry and tag")
		out := flags.String("out", "", "image `directory` to add it to")
		entrypoint := flags.String("entrypoint", "", "`command` with arguments separated by blanks; the binary when empty")
		flags.IntVar(&image.User, "user", images.DefaultUser, "numeric `user` and group, not 0")
		if err := parse(flags, arguments, "binary", "name", "out"); err != nil {
			return err
		}
		image.Entrypoint = strings.Fields(*entrypoint)
		digest, err := images.Add(*out, image)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "%s@%s\n", image.Name, digest)
		return err
	}
	fmt.Fprint(stderr, usage)
	return fmt.Errorf("unknown command %q", command)
}

// parse reads the flags and insists on those that are required.
func parse(flags *flag.FlagSet, arguments []string, required ...string) error {
	if err := flags.Parse(arguments); err != nil {
		return flag.ErrHelp // printed by the flag package
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	for _, name := range required {
		if flags.Lookup(name).Value.String() == "" {
			return fmt.Errorf("--%s is required", name)
		}
	}
	return nil
}
