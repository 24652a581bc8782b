package hostpolicy

// The objects of cilium.io/v2 with the fields that are used here, under their
// upstream names.
// https://docs.cilium.io/en/stable/security/policy/

const ciliumVersion = "cilium.io/v2"

type ciliumNodeConfig struct {
	typeMeta `json:",inline"`
	Metadata objectMeta           `json:"metadata"`
	Spec     ciliumNodeConfigSpec `json:"spec"`
}

type ciliumNodeConfigSpec struct {
	NodeSelector labelSelector     `json:"nodeSelector"`
	Defaults     map[string]string `json:"defaults"`
}

type clusterwidePolicy struct {
	typeMeta `json:",inline"`
	Metadata objectMeta   `json:"metadata"`
	Specs    []ciliumSpec `json:"specs"`
}

// ciliumSpec is one rule: what any of them allows is allowed.
type ciliumSpec struct {
	Description       string          `json:"description"`
	NodeSelector      labelSelector   `json:"nodeSelector"`
	EnableDefaultDeny *defaultDeny    `json:"enableDefaultDeny,omitempty"`
	Ingress           []ciliumIngress `json:"ingress,omitempty"`
	Egress            []ciliumEgress  `json:"egress,omitempty"`
}

type defaultDeny struct {
	Ingress bool `json:"ingress"`
	Egress  bool `json:"egress"`
}

type labelSelector struct {
	MatchExpressions []labelRequirement `json:"matchExpressions"`
}

type labelRequirement struct {
	Key      string `json:"key"`
	Operator string `json:"operator"`
}

type ciliumIngress struct {
	FromCIDR      []string        `json:"fromCIDR,omitempty"`
	FromEndpoints []labelSelector `json:"fromEndpoints,omitempty"`
	FromEntities  []string        `json:"fromEntities,omitempty"`
	FromNodes     []labelSelector `json:"fromNodes,omitempty"`
	ICMPs         []ciliumICMP    `json:"icmps,omitempty"`
	ToPorts       []ciliumPorts   `json:"toPorts,omitempty"`
}

type ciliumEgress struct {
	ToCIDR      []string        `json:"toCIDR,omitempty"`
	ToEndpoints []labelSelector `json:"toEndpoints,omitempty"`
	ToEntities  []string        `json:"toEntities,omitempty"`
	ToNodes     []labelSelector `json:"toNodes,omitempty"`
	ICMPs       []ciliumICMP    `json:"icmps,omitempty"`
	ToPorts     []ciliumPorts   `json:"toPorts,omitempty"`
}

type ciliumICMP struct {
	Fields []icmpField `json:"fields"`
}

type icmpField struct {
	Family string `json:"family"`
	Type   int    `json:"type"`
}

type ciliumPorts struct {
	Ports []ciliumPort `json:"ports"`
}

type ciliumPort struct {
	Port     string `json:"port"`
	EndPort  int    `json:"endPort,omitempty"`
	Protocol string `json:"protocol"`
}
