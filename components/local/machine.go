package local

import (
	"path"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// service is a process of a machine, as the provider takes it.
type service struct {
	name    string
	program string
	args    []string
	user    string
	// privileged keeps the capabilities of root; without it the process has
	// none and can gain none.
	privileged bool
	// keeps are the capabilities that remain where it is not privileged.
	keeps []string
	after []string
	// reads are the files whose change restarts the service.
	reads []string
	ready pulumi.Map
}

func (p plan) service(s service) pulumi.Map {
	m := pulumi.Map{
		"name":    pulumi.String(s.name),
		"command": pulumi.ToStringArray(append([]string{s.program}, s.args...)),
		// Without isolation a process has whoever runs it, and what they may do.
		"dropCapabilities": pulumi.Bool(p.args.Isolated && !s.privileged),
		"after":            pulumi.ToStringArray(s.after),
		"readsFiles":       pulumi.ToStringArray(s.reads),
	}
	if len(s.keeps) > 0 {
		m["keepCapabilities"] = pulumi.ToStringArray(s.keeps)
	}
	if s.user != "" {
		m["user"] = pulumi.String(s.user)
	}
	if s.ready != nil {
		s.ready["timeoutSeconds"] = pulumi.Int(readyTimeoutSeconds)
		m["ready"] = s.ready
	}
	return m
}

// readyTimeoutSeconds is when a service that does not become ready is started
// again; the slowest, an API server on a slow disk, needs a third of it.
const readyTimeoutSeconds = 90

// file is a file of a machine whose contents come from a resource.
func file(path string, mode int, contents pulumi.StringInput) pulumi.Map {
	return pulumi.Map{
		"path": pulumi.String(path), "mode": pulumi.Int(mode),
		"owner": pulumi.String("root"), "contents": contents,
	}
}

// fileInputs are rendered files, as the provider takes them.
func fileInputs(files []hostconfig.File) pulumi.Array {
	var out pulumi.Array
	for _, f := range files {
		contents := pulumi.StringInput(pulumi.String(f.Contents))
		if f.Secret {
			contents = pulumi.ToSecret(pulumi.String(f.Contents)).(pulumi.StringOutput)
		}
		out = append(out, pulumi.Map{
			"path": pulumi.String(f.Path), "mode": pulumi.Int(int(f.Mode)),
			"owner": pulumi.String(f.Owner), "contents": contents,
		})
	}
	return out
}

// directory is a directory that must exist before the machine starts.
func directory(path string, mode int, owner string) pulumi.Map {
	return pulumi.Map{"path": pulumi.String(path), "mode": pulumi.Int(mode), "owner": pulumi.String(owner)}
}

func bind(source, target string, readOnly bool) pulumi.Map {
	return pulumi.Map{"source": pulumi.String(source), "target": pulumi.String(target), "readOnly": pulumi.Bool(readOnly)}
}

// machineInput is what every machine has in common.
func (p plan) machineInput(name string) pulumi.Map {
	m := pulumi.Map{
		"environment":  pulumi.String(p.args.Environment),
		"name":         pulumi.String(name),
		"directory":    pulumi.String(p.machineDir(name)),
		"logDirectory": pulumi.String(p.logDir(name)),
		"runtime":      pulumi.String(path.Join(p.args.ProgramsDirectory, "redoubt-machine")),
		"isolated":     pulumi.Bool(p.args.Isolated),
	}
	if p.args.Isolated {
		m["networkNamespace"] = pulumi.String(p.namespace(name))
		m["cgroupRoot"] = pulumi.String(p.cgroupRoot(name))
		m["hosts"] = pulumi.ToStringMap(p.hosts())
	}
	return m
}

func (p plan) cgroupRoot(name string) string {
	return "/redoubt/" + p.args.Environment + "/" + name
}

// hosts are the names that machines know: there is no DNS in the node network.
func (p plan) hosts() map[string]string {
	hosts := map[string]string{controlPlaneName: p.nodeAddress}
	for _, w := range p.workers {
		hosts[w.name] = w.address
	}
	return hosts
}
