package boot

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/machine"
	"github.com/redoubt-dev/redoubt/components/local/netns"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// Config describes a rehearsal.
type Config struct {
	// Name is short, of lower case letters, digits and dashes, and unique on this
	// host while the rehearsal lasts: namespaces and cgroups are named after it.
	Name string
	// Dir takes the state, several GB; it is made, and removed by Close.
	Dir string
	// Bin holds the programs that test/tools/build makes.
	Bin string
	// NodeCIDR is the machines' network. Every address below lies in it.
	NodeCIDR string
	// LoadBalancer is where the API server is found.
	LoadBalancer LoadBalancer
	// Cloud is what the machines reach besides each other.
	Cloud Cloud
	// Internet is what they fetch from public servers.
	Internet Internet
	// Machines are all that will ever be, running at the same time or not.
	Machines []Machine
	// Images, if set, is a directory of [MakeImages]: machines start with them.
	Images string
	// Log, if set, is told what is being done.
	Log func(format string, arguments ...any)
}

// Rehearsal is a cloud's network with its machines on this host.
type Rehearsal struct {
	Config
	hierarchies []hierarchy
	machines    map[string]*running
	janitor     *janitor
	balancer    interface{ close() } // nil without a load balancer
	door        *door
	internet    *internet
	resolvers   []net.PacketConn
	close       sync.Once
	igniting    sync.Mutex
}

// path gives a path of the state directory.
func (r *Rehearsal) path(elements ...string) string {
	return filepath.Join(append([]string{r.Dir}, elements...)...)
}

func (r *Rehearsal) cgroup() string { return "redoubt-boot-" + r.Name }

func (r *Rehearsal) log(format string, arguments ...any) {
	if r.Log != nil {
		r.Log(format, arguments...)
	}
}

// New makes the network, the cloud's servers and the load balancer; no machine
// runs yet. Whatever happens, call Close.
func New(ctx context.Context, config Config) (*Rehearsal, error) {
	r := &Rehearsal{Config: config, machines: map[string]*running{}}
	if os.Geteuid() != 0 {
		return nil, errors.New("the boot rehearsal makes namespaces: run it as root on Linux")
	}
	var err error
	if r.hierarchies, err = hierarchies(); err != nil {
		return nil, err
	}
	for _, m := range config.Machines {
		r.machines[m.Name] = &running{Machine: m, r: r}
	}
	if err := os.MkdirAll(r.path("machines"), 0o700); err != nil {
		return nil, err
	}
	if r.janitor, err = hireJanitor(r); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.Dir))
	}
	if err := r.build(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Rehearsal) build(ctx context.Context) error {
	if err := makeCgroup(r.hierarchies, r.cgroup()); err != nil {
		return err
	}
	// The kubelet wants them (protectKernelDefaults), and they are the host's.
	if err := machine.ClaimKernelSettings(ctx, r.Dir, kernelSettings); err != nil {
		return err
	}
	if err := writeFile(r.path("jail.sh"), jail, 0o700); err != nil {
		return err
	}
	if err := r.network(ctx); err != nil {
		return err
	}
	if err := r.image(ctx); err != nil {
		return err
	}
	if r.LoadBalancer.Address == "" {
		return nil
	}
	return r.balance(ctx)
}

func (r *Rehearsal) balance(ctx context.Context) error {
	settings, namespace := r.LoadBalancer, netns.Namespace(r.Name, balancerName)
	settings.Port = settings.port()
	if settings.Passthrough {
		made, err := passOn(ctx, namespace, settings)
		if err == nil {
			r.balancer = made
		}
		return err
	}
	made, err := balance(ctx, namespace, settings)
	if err == nil {
		r.balancer = made
	}
	return err
}

// Launch makes a new instance of the machine, with a new disk: the cloud knows it,
// Ignition makes its root, and it is turned on. What another instance left is gone,
// but for the data volume.
func (r *Rehearsal) Launch(ctx context.Context, name string) error {
	m, found := r.machines[name]
	if !found {
		return fmt.Errorf("there is no machine %s", name)
	}
	if err := r.register(m); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	started := time.Now()
	if err := m.install(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := r.igniteOne(ctx, m); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := m.preloaded(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.log("%s: root made in %v", name, time.Since(started).Round(10*time.Millisecond))
	return m.power(ctx)
}

// register tells the cloud of a new instance; the one before is terminated.
func (r *Rehearsal) register(m *running) error {
	if m.outer != nil {
		return errors.New("it runs")
	}
	r.terminate(m)
	instance := m.Instance
	m.launches++
	if m.launches > 1 {
		// The last digits count, so that ids keep the form that the cloud gives them.
		suffix := fmt.Sprint(m.launches)
		instance.ID = instance.ID[:len(instance.ID)-len(suffix)] + suffix
	}
	if len(instance.Addresses) == 0 {
		instance.Addresses = []string{m.Address}
	}
	m.instance = instance.ID
	return r.Cloud.Server.AddInstance(instance)
}

func (r *Rehearsal) terminate(m *running) {
	if m.instance != "" {
		r.Cloud.Server.ChangeInstance(m.instance, func(i *fakecloud.Instance) { i.State = "terminated" })
		m.instance = ""
	}
}

// igniteOne runs Ignition for one machine at a time: they would only take the
// processors from each other, and Ignition has the metadata server's patience of
// seconds.
func (r *Rehearsal) igniteOne(ctx context.Context, m *running) error {
	r.igniting.Lock()
	defer r.igniting.Unlock()
	return m.ignite(ctx)
}

// install makes the machine's root as the image ships it.
func (m *running) install() error {
	if m.outer != nil {
		return errors.New("it runs")
	}
	if err := os.RemoveAll(m.root()); err != nil {
		return err
	}
	if err := seed(m.root(), m.r.authorities()); err != nil {
		return err
	}
	if m.Device == "" || m.disk != nil {
		return nil
	}
	if _, err := os.Stat(m.dir("disk")); errors.Is(err, os.ErrNotExist) {
		if err := writeFile(m.dir("disk"), "", 0o600); err != nil {
			return err
		}
		if err := os.Truncate(m.dir("disk"), volumeSize); err != nil {
			return err
		}
	}
	var err error
	m.disk, err = attach(m.dir("disk"))
	return err
}

// volumeSize is that of a data volume, of which only what is written is stored.
const volumeSize = 2 << 30

// Reboot cuts the machine's power, at whatever it is doing, and turns it on again.
func (r *Rehearsal) Reboot(ctx context.Context, name string) error {
	if err := r.machines[name].cut(); err != nil {
		return err
	}
	return r.machines[name].power(ctx)
}

// PowerOff cuts the machine's power.
func (r *Rehearsal) PowerOff(name string) error { return r.machines[name].cut() }

// Destroy ends a machine and removes its root; its volume goes too unless it is kept.
func (r *Rehearsal) Destroy(name string, keepVolume bool) error {
	m := r.machines[name]
	errs := []error{m.cut(), os.RemoveAll(m.root())}
	r.terminate(m)
	if !keepVolume {
		errs = append(errs, m.disk.close(), os.RemoveAll(m.dir()))
		m.disk = nil
	}
	return errors.Join(errs...)
}

// Close ends everything and removes every trace.
func (r *Rehearsal) Close() error {
	var errs []error
	r.close.Do(func() {
		var wait sync.WaitGroup
		var mutex sync.Mutex
		for _, m := range r.machines {
			wait.Add(1)
			go func() {
				defer wait.Done()
				err := errors.Join(m.cut(), m.disk.close())
				mutex.Lock()
				defer mutex.Unlock()
				errs = append(errs, err)
			}()
		}
		wait.Wait()
		r.door.close()
		if r.balancer != nil {
			r.balancer.close()
		}
		r.internet.close()
		r.Cloud.Server.Close()
		for _, socket := range r.resolvers {
			socket.Close()
		}
		errs = append(errs, removeCgroup(r.hierarchies, r.cgroup()))
		ctx := context.Background()
		errs = append(errs, machine.ReleaseKernelSettings(ctx, r.Dir), netns.Remove(ctx, r.topology()))
		errs = append(errs, os.RemoveAll(r.Dir), r.janitor.dismiss())
	})
	return errors.Join(errs...)
}

// short is a number of one byte that stands for the rehearsal's name.
func (r *Rehearsal) short() byte { sum := sha256.Sum256([]byte(r.Name)); return sum[0] }

// in runs a program of this host in a namespace of the rehearsal.
func in(ctx context.Context, namespace string, arguments ...string) error {
	output, err := exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + namespace, "--"}, arguments...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %v: %w: %s", namespace, arguments, err, output)
	}
	return nil
}
