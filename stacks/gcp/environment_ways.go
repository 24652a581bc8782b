package gcp

// Entry is a forwarder behind Identity-Aware Proxy.
type Entry struct {
	// Zone is where it stands.
	Zone string `json:"zone" jsonschema:"required"`
	// Image pins Container-Optimized OS: projects/cos-cloud/global/images/<name>.
	Image string `json:"image" jsonschema:"required"`
	// MachineType is e2-small by default.
	MachineType string `json:"machineType,omitempty"`
	// CIDR is its range; that of the plan of the network by default. An existing
	// network has no plan.
	CIDR string `json:"cidr,omitempty"`
	// Members may open a tunnel.
	Members []string `json:"members" jsonschema:"required"`
}

// VPN is Cloud VPN with two tunnels; the other side learns the way to the control
// plane and to nothing else. Its ranges are among authorizedNetworks.
type VPN struct {
	// PeerIPs are one or two addresses of the other gateway on the internet.
	PeerIPs []string `json:"peerIPs" jsonschema:"required"`
	// PeerASN is the number of the other side in BGP.
	PeerASN int `json:"peerASN" jsonschema:"required"`
	// ASN is that of ours, private, 64514 by default.
	ASN int `json:"asn,omitempty"`
	// SharedSecret is what both sides know, at least 32 characters: pulumi config
	// set --secret --path redoubt:vpn.sharedSecret.
	SharedSecret string `json:"sharedSecret" jsonschema:"required"`
	// Links are two ranges of 169.254.0.0/16, /30, of the tunnels.
	Links []string `json:"links,omitempty"`
}

// Maintenance is when Google may upgrade control plane and nodes.
type Maintenance struct {
	// Start of the first window, RFC 3339; a Saturday by default.
	Start string `json:"start,omitempty"`
	// End of the first window, 4 to 24 hours later.
	End string `json:"end,omitempty"`
	// Recurrence is FREQ=DAILY, or FREQ=WEEKLY with BYDAY; weekends by default.
	Recurrence string `json:"recurrence,omitempty"`
	// Exclusions are times without.
	Exclusions []Exclusion `json:"exclusions,omitempty"`
}

// Exclusion is a time in which Google does not upgrade.
type Exclusion struct {
	// Name is its own.
	Name string `json:"name" jsonschema:"required"`
	// Start is RFC 3339.
	Start string `json:"start" jsonschema:"required"`
	// End is RFC 3339.
	End string `json:"end" jsonschema:"required"`
	// Scope is NO_MINOR_UPGRADES by default, or NO_MINOR_OR_NODE_UPGRADES, or
	// NO_UPGRADES, which lasts at most 30 days.
	Scope string `json:"scope,omitempty"`
}
