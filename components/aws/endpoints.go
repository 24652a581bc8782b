package aws

import (
	"fmt"
	"maps"
	"slices"
)

// Use is something that an environment may or may not run and that calls AWS.
type Use string

// Uses.
const (
	// UseSSM is access to nodes through the control container and Session Manager.
	UseSSM Use = "ssm"
	// UseLoadBalancers is the AWS Load Balancer Controller.
	UseLoadBalancers Use = "load-balancers"
	// UseClusterAutoscaler is the Cluster Autoscaler.
	UseClusterAutoscaler Use = "cluster-autoscaler"
	// UseGuardDuty is runtime detection on nodes.
	UseGuardDuty Use = "guardduty"
	// UseSecretsManager is an operator that reads external secrets.
	UseSecretsManager Use = "secrets-manager"
	// UseAutomation is a runner inside the network, see [Runner], that applies what
	// lies inside the cluster.
	UseAutomation Use = "automation"
)

// Uses gives every use that [NetworkArgs] knows, sorted.
func Uses() []Use {
	found := map[Use]bool{}
	for _, c := range calls {
		if c.use != "" {
			found[c.use] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Kinds of endpoints.
const (
	// GatewayEndpoint is a route; it costs nothing.
	GatewayEndpoint = "Gateway"
	// InterfaceEndpoint is an address in each zone, paid by the hour.
	InterfaceEndpoint = "Interface"
)

// Endpoint is a way from a private network to a service of AWS.
type Endpoint struct {
	// Service is its name after com.amazonaws.<region>.
	Service string
	// Kind is GatewayEndpoint or InterfaceEndpoint.
	Kind string
	// Callers are who needs it, and for what.
	Callers []string

	calls []call
}

// ServiceName is the full name of the service in a region.
func (e Endpoint) ServiceName(region string) string {
	return "com.amazonaws." + region + "." + e.Service
}

// Endpoints gives every endpoint that an environment with these uses needs, so
// that a node with no way to the internet boots, joins and runs its add-ons. It
// is derived from what each program calls; there is no other list.
//
// Extra are further services, by the name after com.amazonaws.<region>.
func Endpoints(uses []Use, extra []string) []Endpoint { return endpoints(calls, uses, extra) }

// SelfManagedEndpoints are those of an environment whose control plane is
// machines of ours. All are interfaces: with an address in the network S3, too,
// is something that the firewalls of machines can name.
func SelfManagedEndpoints(uses []Use, extra []string) []Endpoint {
	every := slices.Clone(selfManagedCalls)
	for _, c := range calls {
		if c.use != "" && c.service != "eks" {
			every = append(every, c)
		}
	}
	found := endpoints(every, uses, extra)
	for i := range found {
		found[i].Kind = InterfaceEndpoint
	}
	return found
}

func endpoints(calls []call, uses []Use, extra []string) []Endpoint {
	byService := map[string]*Endpoint{}
	add := func(c call) {
		e := byService[c.service]
		if e == nil {
			e = &Endpoint{Service: c.service, Kind: InterfaceEndpoint}
			if c.service == "s3" {
				e.Kind = GatewayEndpoint
			}
			byService[c.service] = e
		}
		if !slices.Contains(e.Callers, c.caller) {
			e.Callers = append(e.Callers, c.caller)
		}
		e.calls = append(e.calls, c)
	}
	for _, c := range calls {
		if c.use == "" || slices.Contains(uses, c.use) {
			add(c)
		}
	}
	for _, name := range extra {
		if byService[name] != nil {
			continue // its policy stays as narrow as it is
		}
		// Names of services and of actions differ, so that only the account can
		// be told here.
		add(call{service: name, caller: "an endpoint that the environment adds", actions: []string{"*"}, scope: inAccount})
	}
	var out []Endpoint
	for _, name := range slices.Sorted(maps.Keys(byService)) {
		out = append(out, *byService[name])
	}
	return out
}

// scope says what a call may touch, beside its actions.
type scope int

const (
	// byAccount: the caller is of the account; what is called has no resources to
	// name, or belongs to AWS: images of add-ons lie in accounts of AWS.
	byAccount scope = iota
	// inAccount: the caller and the resource are of the account, so that nothing
	// is carried out to another account through the endpoint.
	inAccount
	// ownRoles: roles of the account, called with a token of the cluster before
	// the caller is anybody in IAM.
	ownRoles
	// ownCluster: the cluster of the environment and what belongs to it.
	ownCluster
	// imageLayers: the bucket in which ECR keeps layers, with addresses that ECR
	// has signed, not the caller.
	imageLayers
)

// statement is what the policy of an endpoint allows for a call.
func (c call) statement(account Account, cluster string) statement {
	s := statement{Effect: allow, Principal: anyone(), Action: c.actions, Resource: []string{"*"}}
	caller := []string{account.ID}
	switch c.scope {
	case byAccount:
		s.Condition = conditions{"StringEquals": {"aws:PrincipalAccount": caller}}
	case inAccount:
		s.Condition = conditions{"StringEquals": {"aws:PrincipalAccount": caller, "aws:ResourceAccount": caller}}
	case ownRoles:
		s.Resource = []string{account.iamARN("role/*")}
	case ownCluster:
		s.Resource = []string{account.arn("eks", "cluster/"+cluster), account.arn("eks", "nodegroup/"+cluster+"/*"),
			account.arn("eks", "podidentityassociation/"+cluster+"/*"), account.arn("eks", "addon/"+cluster+"/*")}
		s.Condition = conditions{"StringEquals": {"aws:PrincipalAccount": caller}}
	case imageLayers:
		s.Resource = []string{account.s3ARN(fmt.Sprintf("prod-%s-starport-layer-bucket/*", account.Region))}
	}
	return s
}

// Policy is the endpoint's policy: the actions that its callers call, and no
// others. It is JSON.
// https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
func (e Endpoint) Policy(account Account, cluster string) string {
	// One statement for what has the same scope, as long as the callers differ
	// in nothing but actions.
	var statements []statement
	for kind := byAccount; kind <= imageLayers; kind++ {
		actions := map[string]bool{}
		for _, c := range e.calls {
			if c.scope == kind {
				for _, action := range c.actions {
					actions[action] = true
				}
			}
		}
		if len(actions) > 0 {
			statements = append(statements, call{actions: slices.Sorted(maps.Keys(actions)), scope: kind}.statement(account, cluster))
		}
	}
	return policy(statements...).String()
}
