package hostpolicy

// The objects of projectcalico.org/v3 with the fields that are used here, under
// their upstream names.
// https://docs.tigera.io/calico/latest/reference/resources/

const calicoVersion = "projectcalico.org/v3"

type felixConfiguration struct {
	typeMeta `json:",inline"`
	Metadata objectMeta `json:"metadata"`
	Spec     felixSpec  `json:"spec"`
}

type felixSpec struct {
	// DefaultEndpointToHostAction decides about the pods of the same machine
	// before any policy does.
	DefaultEndpointToHostAction string         `json:"defaultEndpointToHostAction"`
	FailsafeInboundHostPorts    []failsafePort `json:"failsafeInboundHostPorts"`
	FailsafeOutboundHostPorts   []failsafePort `json:"failsafeOutboundHostPorts"`
}

// failsafePort is open from Net, or to Net, before any policy.
type failsafePort struct {
	Protocol string `json:"protocol"`
	Port     int    `json:"port"`
	Net      string `json:"net"`
}

type kubeControllersConfiguration struct {
	typeMeta `json:",inline"`
	Metadata objectMeta          `json:"metadata"`
	Spec     kubeControllersSpec `json:"spec"`
}

type kubeControllersSpec struct {
	Controllers struct {
		Node struct {
			HostEndpoint struct {
				AutoCreate string `json:"autoCreate"`
			} `json:"hostEndpoint"`
		} `json:"node"`
	} `json:"controllers"`
}

type hostEndpoint struct {
	typeMeta `json:",inline"`
	Metadata objectMeta       `json:"metadata"`
	Spec     hostEndpointSpec `json:"spec"`
}

type hostEndpointSpec struct {
	Node          string   `json:"node"`
	InterfaceName string   `json:"interfaceName"`
	ExpectedIPs   []string `json:"expectedIPs"`
	Profiles      []string `json:"profiles,omitempty"`
}

// globalNetworkPolicy is staged too, with another kind and StagedAction.
type globalNetworkPolicy struct {
	typeMeta `json:",inline"`
	Metadata objectMeta `json:"metadata"`
	Spec     policySpec `json:"spec"`
}

type policySpec struct {
	StagedAction string       `json:"stagedAction,omitempty"`
	Order        int          `json:"order"`
	Selector     string       `json:"selector"`
	Types        []string     `json:"types"`
	Ingress      []calicoRule `json:"ingress,omitempty"`
	Egress       []calicoRule `json:"egress,omitempty"`
}

type calicoRule struct {
	Action      string        `json:"action"`
	Protocol    string        `json:"protocol,omitempty"`
	ICMP        *calicoICMP   `json:"icmp,omitempty"`
	Source      *calicoEntity `json:"source,omitempty"`
	Destination *calicoEntity `json:"destination,omitempty"`
	Metadata    *ruleMetadata `json:"metadata,omitempty"`
}

type calicoICMP struct {
	Type int `json:"type"`
	Code int `json:"code"`
}

type calicoEntity struct {
	Nets  []string `json:"nets,omitempty"`
	Ports []int    `json:"ports,omitempty"`
}

type ruleMetadata struct {
	Annotations map[string]string `json:"annotations"`
}
