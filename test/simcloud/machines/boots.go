package machines

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/components/flatcar/auditlog"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/firstboot"
)

// Booted is what a machine knows of itself after its first boot.
type Booted struct {
	// Config is what its units act on.
	Config nodeconfig.Config
	// Elsewhere are the sources that it fetches from where this cluster has nothing:
	// the system extension, for example.
	Elsewhere []string
	// Registries are the hosts that it pulls images from.
	Registries []string
}

// registryHosts are the files that tell containerd where a registry's images are:
// https://github.com/containerd/containerd/blob/main/docs/hosts.md
const registryHosts = "/hosts.toml"

// hostPattern is a server in such a file.
var hostPattern = regexp.MustCompile(`(?m)^(?:server *= *|\[host\.)["']https://([^/"']+)`)

// registries reads them.
func registries(m firstboot.Machine) ([]string, error) {
	var hosts []string
	for _, file := range m.Config.Storage.Files {
		if !strings.HasSuffix(file.Path, registryHosts) {
			continue
		}
		contents, err := m.File(file.Path)
		if err != nil {
			return nil, err
		}
		for _, match := range hostPattern.FindAllStringSubmatch(string(contents), -1) {
			if !strings.HasSuffix(match[1], ".invalid") { // where nobody is ever asked (RFC 6761)
				hosts = append(hosts, match[1])
			}
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

// Boot reads user data as an instance of a role does, from a cloud that
// [Cluster.Cloud] made. The error says why the machine would not boot, or, later,
// would not do what its units are for: every access that they need is tried.
func Boot(cloud *fakecloud.Cloud, role string, userData []byte) (Booted, error) {
	var b Booted
	m, err := firstboot.Boot(userData, func(source string) ([]byte, error) {
		if strings.HasPrefix(source, "https://") {
			b.Elsewhere = append(b.Elsewhere, source)
			return nil, firstboot.ErrElsewhere
		}
		data, err := cloud.Fetch(role, source)
		if errors.Is(err, fakecloud.ErrNoBucket) {
			b.Elsewhere = append(b.Elsewhere, source)
			return nil, firstboot.ErrElsewhere
		}
		return data, err
	})
	if err != nil {
		return b, err
	}
	data, err := m.File(nodeconfig.File)
	if err != nil {
		return b, fmt.Errorf("the machine would join nothing: %w", err)
	}
	if b.Config, err = nodeconfig.Parse(data); err != nil {
		return b, fmt.Errorf("%s: %w", nodeconfig.File, err)
	}
	b.Config = b.Config.WithDefaults()
	if b.Registries, err = registries(m); err != nil {
		return b, err
	}
	return b, b.may(cloud, role)
}

// may tries every access that the machine's units need.
func (b Booted) may(cloud *fakecloud.Cloud, role string) error {
	var problems []error
	try := func(operation fakecloud.Operation, on string) {
		problems = append(problems, cloud.May(role, operation, on))
	}
	c := b.Config
	if !c.ControlPlaneMachine() {
		try(fakecloud.ReadObject, c.Store+"/"+nodeconfig.JoinConfigKey(c.Pool))
		return errors.Join(problems...)
	}
	both := []fakecloud.Operation{fakecloud.ReadObject, fakecloud.WriteObject}
	for _, operation := range both {
		try(operation, c.Store+"/"+nodeconfig.KeyInitialized)
		for _, pool := range c.Pools {
			try(operation, c.Store+"/"+nodeconfig.JoinConfigKey(pool.Name))
		}
		if c.Snapshots != nil {
			try(operation, c.Snapshots.Bucket+"/"+c.Snapshots.Prefix+"copy.db")
		}
	}
	if c.AuditLog != nil {
		try(fakecloud.WriteObject, c.AuditLog.Bucket+"/"+auditlog.Header{Node: c.Node}.Name(c.AuditLog.Prefix))
		// Or a shipper that was killed never learns that it had stored something.
		try(fakecloud.ListObjects, c.AuditLog.Bucket)
	}
	// Or what is not there is told as forbidden, and nobody founds the cluster.
	try(fakecloud.ListObjects, c.Store)
	if c.KMS != nil {
		try(fakecloud.Encrypt, c.KMS.Keys[0])
		for _, key := range c.KMS.Keys {
			try(fakecloud.Decrypt, key)
		}
	}
	try(fakecloud.SeeMachines, "")
	for _, pool := range c.Pools {
		for _, on := range Replaced(c, pool.Group) {
			try(fakecloud.ReplaceMachine, on)
		}
	}
	return errors.Join(problems...)
}

// Replaced are the targets of [fakecloud.ReplaceMachine] for the machines of a group:
// the group itself, or a machine in each zone under a name that the group gives.
func Replaced(c nodeconfig.Config, group string) []string {
	if len(c.Cloud.Zones) == 0 {
		return []string{group}
	}
	var out []string
	for _, zone := range c.Cloud.Zones {
		out = append(out, zone+"/"+group+"-x1y2")
	}
	return out
}

// Judgement is what the machines of a cluster would be.
type Judgement struct {
	// ControlPlanes and Pools are in the order of the cluster's.
	ControlPlanes, Pools []Booted
	// Elsewhere and Registries are those of all machines, sorted.
	Elsewhere, Registries []string
}

// Judge boots every machine of the cluster on paper, see [Boot].
func (c Cluster) Judge(cloud *fakecloud.Cloud) (Judgement, error) {
	var j Judgement
	var problems []error
	read := func(instance fakecloud.Instance) Booted {
		b, err := Boot(cloud, instance.Role, instance.UserData)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s would not boot: %w", instance.Name, err))
		}
		j.Elsewhere, j.Registries = append(j.Elsewhere, b.Elsewhere...), append(j.Registries, b.Registries...)
		return b
	}
	for _, each := range c.ControlPlanes {
		j.ControlPlanes = append(j.ControlPlanes, read(each.Instance))
	}
	for _, each := range c.Pools {
		j.Pools = append(j.Pools, read(each.Template))
	}
	for _, list := range []*[]string{&j.Elsewhere, &j.Registries} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return j, errors.Join(problems...)
}
