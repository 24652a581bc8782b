package gcp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/stacks/settings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Where the fields of components are settings of another name.
var (
	ofFlatcarRoles    = map[string]string{"cluster": "exceptions", "pools": ""}
	ofFlatcarFirewall = merged(once, map[string]string{"operators": "operators", "network": "", "poolServiceAccounts": ""})
	ofFlatcarCluster  = merged(once, map[string]string{
		"pools": "nodePools", "nodeCidr": "", "podCidr": "", "serviceCidr": "", "controlPlaneCidr": "", "programFile": "nodeProgram", "operators": "", "poolServiceAccounts": "",
		"keyGeneration": "", "zones": "network.zones", "controlPlane.machines": "controlPlane.count", "host.exceptions": "", "host.program": "nodeProgram",
		"host.kubernetes": "kubernetes", "host.kubernetesVersion": "kubernetesVersion",
	})
)

// validate reports everything that is wrong with the settings: what each
// component finds, under the name of the setting, and what no component sees
// alone. The time decides whether exceptions and versions still hold.
func (e flatcarEnvironment) validate(r *settings.Reader, now time.Time) {
	own := e.common()
	r.Report("", e.roles().Validate(now), ofFlatcarRoles)
	r.Report("keys", e.keys(later).Validate(now), ofKeys)
	ofLogs := once
	if e.Logs.Archive.Bucket == "" { // made from what is reported elsewhere
		ofLogs = merged(once, map[string]string{"archive.bucket": ""})
	}
	r.Report("logs", own.logs(later).Validate(now), ofLogs)
	r.Report("network", own.network().Validate(now), once)
	wall := e.firewall()
	wall.NetworkID, wall.NodeCIDR, wall.PodCIDR, wall.ControlPlaneCIDR, wall.ControlPlaneServiceAccount = later, later, later, later, later
	var pools []pulumi.StringInput
	for range e.NodePools {
		pools = append(pools, later)
	}
	wall.PoolServiceAccounts = pools
	r.Report("firewall", wall.Validate(now), ofFlatcarFirewall)
	args := e.cluster()
	args.NetworkID, args.SubnetworkID, args.DisksKeyID, args.SecretsKeyID, args.KeyRingID, args.ControlPlaneServiceAccount = later, later, later, later, later, later
	args.PoolServiceAccounts = pools
	if e.ranges() != (ranges{}) { // the network is reported
		r.Report("", args.Validate(now), ofFlatcarCluster)
	}
	if e.VPN != nil {
		r.Report("vpn", own.vpn(later, later).Validate(now), ofVPN)
	}
	if e.Registry != nil {
		r.Report("registry", own.registry(later, later).Validate(now), merged(once, map[string]string{"generation": ""}))
	}
	own.checkWatch(r, now)
	own.checkEgress(r)
	if n := len(e.Network.Zones); e.ControlPlane.Count > 1 && n > 0 && n < 3 {
		r.Add("network.zones", fmt.Sprintf("there are %d, and the loss of one takes the majority of %d machines", n, e.ControlPlane.Count), "write three")
	}
	if !slices.ContainsFunc(e.NodePools, func(p FlatcarPool) bool { return p.Isolation == "" }) && len(e.NodePools) > 0 {
		r.Add("nodePools", "every one is kept for some workloads, and what the cluster itself runs has no place", "write one without isolation")
	}
	for i, name := range e.AllowReplacement {
		if !slices.Contains(e.replaceable(), name) {
			r.Add(fmt.Sprintf("allowReplacement[%d]", i), fmt.Sprintf("%q is no setting that is kept", name), "write one of "+strings.Join(e.replaceable(), ", "))
		}
	}
}

// checkWatch judges whether somebody hears of what happens, and whether what
// happened is kept.
func (e environment) checkWatch(r *settings.Reader, now time.Time) {
	if !e.Detection.Disabled {
		r.Report("detection", e.detection().Validate(now), ofDetection)
	} else if !hostconfig.Excepted(e.Exceptions, "M39/detection") {
		r.Add("detection.disabled", "nobody hears of what an intruder does (M39/detection)", hostconfig.AcceptRisk("M39/detection"))
	}
	if e.Logs.Archive.Disabled && !hostconfig.Excepted(e.Exceptions, "M38/archive") {
		r.Add("logs.archive.disabled", "who gets into the project can delete every log (M38/archive)", hostconfig.AcceptRisk("M38/archive"))
	}
}
