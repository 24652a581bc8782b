package machines

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
	if c.KMS != nil {
		try(fakecloud.Encrypt, c.KMS.Keys[0])
		for _, key := range c.KMS.Keys {
			try(fakecloud.Decrypt, key)
		}
	}
	try(fakecloud.SeeMachines, "")
	return errors.Join(problems...)
}

// Judge boots every machine of the cluster on paper, see [Boot]. It gives, by what
// a control plane or a pool is called, what each would be, and the sources that are
// fetched from elsewhere, sorted.
func (c Cluster) Judge(cloud *fakecloud.Cloud) (planes, pools []Booted, elsewhere []string, err error) {
	var problems []error
	read := func(instance fakecloud.Instance) Booted {
		b, err := Boot(cloud, instance.Role, instance.UserData)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s would not boot: %w", instance.Name, err))
		}
		elsewhere = append(elsewhere, b.Elsewhere...)
		return b
	}
	for _, each := range c.ControlPlanes {
		planes = append(planes, read(each.Instance))
	}
	for _, each := range c.Pools {
		pools = append(pools, read(each.Template))
	}
	slices.Sort(elsewhere)
	return planes, pools, slices.Compact(elsewhere), errors.Join(problems...)
}
