package fakecloud

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Instance is a virtual machine.
type Instance struct {
	// ID is i- and 17 hexadecimal digits on AWS, a number on GCP.
	ID string
	// Name is the instance's name on GCP, and its tag Name on AWS.
	Name string
	// Role is the name of a [Role].
	Role string
	// Addresses are private IPv4 addresses, the primary one first.
	Addresses []string
	// Zone is for example eu-central-1a or europe-west3-a.
	Zone string
	// Group is the name of the autoscaling group or managed instance group that
	// made it, if any.
	Group string
	// Tags are tags on AWS and labels on GCP.
	Tags map[string]string
	// UserData is what the metadata server gives as user data.
	UserData []byte
	// Launched is now by default.
	Launched time.Time
	// State is "running" by default; "pending", "shutting-down", "terminated" and so
	// on as EC2 has it. Compute Engine's words are derived.
	State string
	// Leaving is true while the group waits for a lifecycle action before it
	// terminates the instance, or GCP deletes it.
	Leaving bool
	// Held is true while an operator holds it: on standby on AWS, protected from
	// deletion on GCP.
	Held bool
	// Condemned tells that somebody said that it must be replaced: unhealthy on AWS,
	// deleted on GCP, where it is Leaving from then on.
	Condemned bool
}

// healthCheckGrace is for how long after its launch a group of AWS judges no instance:
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/health-check-grace-period.html
const healthCheckGrace = 300 * time.Second

// Condemned tells whether somebody said that an instance must be replaced.
func (c *Cloud) Condemned(id string) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	instance := c.instances[id]
	return instance != nil && instance.Condemned
}

// condemn makes an instance leave. The group's next one is the test's to make.
func condemn(i *Instance) { i.Condemned, i.Leaving = true, true }

// PrivateDNSName is the one that EC2 gives: ip-10-0-1-5.REGION.compute.internal.
func (c *Cloud) privateDNSName(i *Instance) string {
	dashed := []byte(i.Addresses[0])
	for at, each := range dashed {
		if each == '.' {
			dashed[at] = '-'
		}
	}
	domain := c.region + ".compute.internal"
	if c.region == "us-east-1" {
		domain = "ec2.internal"
	}
	return "ip-" + string(dashed) + "." + domain
}

// AddInstance adds or replaces an instance.
func (c *Cloud) AddInstance(instance Instance) error {
	if instance.ID == "" || len(instance.Addresses) == 0 {
		return errors.New("an instance needs an id and an address")
	}
	if instance.Launched.IsZero() {
		instance.Launched = c.now()
	}
	if instance.State == "" {
		instance.State = "running"
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.roles[instance.Role] == nil {
		return fmt.Errorf("instance %s: there is no role %q", instance.ID, instance.Role)
	}
	for _, other := range c.instances {
		for _, address := range instance.Addresses {
			if other.ID != instance.ID && other.alive() && slices.Contains(other.Addresses, address) {
				return fmt.Errorf("instance %s: %s is the address of %s", instance.ID, address, other.ID)
			}
		}
	}
	instance.Tags = maps.Clone(instance.Tags)
	c.instances[instance.ID] = &instance
	if instance.Group != "" && c.groups[instance.Group] == nil {
		c.groups[instance.Group] = &group{completed: map[string]string{}}
	}
	return nil
}

func (i *Instance) alive() bool { return i.State != "terminated" }

// group is an autoscaling group or managed instance group.
type group struct{ completed map[string]string }

// ChangeInstance edits an instance; false when there is none.
func (c *Cloud) ChangeInstance(id string, edit func(*Instance)) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	instance := c.instances[id]
	if instance != nil {
		edit(instance)
	}
	return instance != nil
}

// Completed gives the result with which a lifecycle action of an instance was
// completed ("CONTINUE"), or nothing.
func (c *Cloud) Completed(id string) string {
	c.lock.Lock()
	defer c.lock.Unlock()
	if instance := c.instances[id]; instance != nil && c.groups[instance.Group] != nil {
		return c.groups[instance.Group].completed[id]
	}
	return ""
}

func (c *Cloud) instance(id string) *Instance {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.copyOf(c.instances[id])
}

func (c *Cloud) instanceAt(address string) *Instance {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, each := range c.instances {
		if each.alive() && slices.Contains(each.Addresses, address) {
			return c.copyOf(each)
		}
	}
	return nil
}

func (c *Cloud) copyOf(instance *Instance) *Instance {
	if instance == nil || !instance.alive() {
		return nil
	}
	clone := *instance
	return &clone
}

// sorted gives the instances in the order of their ids.
func (c *Cloud) sorted() []*Instance {
	var all []*Instance
	for _, id := range slices.Sorted(maps.Keys(c.instances)) {
		clone := *c.instances[id]
		all = append(all, &clone)
	}
	return all
}

// session is a credential that a metadata server gave to an instance.
type session struct {
	role, instance string
	secret, token  string // of AWS
	expires        time.Time
}

// Fault is how a service fails.
type Fault struct {
	// Status is the HTTP status; 0 cuts the connection.
	Status int
	// Late is a connection that is cut after the service did what it was asked: who
	// asked does not know. For objects only.
	Late bool
	// Times is how many requests fail; all while it is 0.
	Times int
	// Match limits it to requests whose action contains this, for example "Decrypt".
	Match string
}

// Fail makes a service ("s3", "kms", "ec2", "autoscaling", "metadata"; "storage",
// "kms", "compute", "metadata" on GCP) fail until [Cloud.Heal].
func (c *Cloud) Fail(service string, fault Fault) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if fault.Times == 0 {
		fault.Times = -1
	}
	c.faults[service] = fault
}

// Heal ends the failure of a service.
func (c *Cloud) Heal(service string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	delete(c.faults, service)
}

// Request is one that a server answered.
type Request struct {
	// Service and Action are for example "s3" and "GetObject".
	Service, Action string
	// Resource is what it was about, for example bucket/key.
	Resource string
	// Role and Instance asked; empty when nobody was recognized.
	Role, Instance string
	// Status is the HTTP status of the answer.
	Status int
}

// Requests gives everything that was answered so far, in order.
func (c *Cloud) Requests() []Request {
	c.lock.Lock()
	defer c.lock.Unlock()
	return slices.Clone(c.requests)
}

// note records a request.
func (c *Cloud) note(request Request) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.requests = append(c.requests, request)
}

// fault gives the failure that a request meets, if any.
func (c *Cloud) fault(service, action string) (Fault, bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	fault, failing := c.faults[service]
	if !failing || fault.Times == 0 || !contains(action, fault.Match) {
		return Fault{}, false
	}
	if fault.Times > 0 {
		fault.Times--
		c.faults[service] = fault
	}
	return fault, true
}
