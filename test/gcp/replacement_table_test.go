package gcp_test

import (
	"testing"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// accepted is an exception that tests need.
func accepted(control string) map[string]any {
	return map[string]any{"control": control, "reason": "A test of what changes.", "expires": time.Now().AddDate(0, 6, 0).Format(time.DateOnly)}
}

// everySetting sets what gcp-prod leaves out, so that every setting has something that its change could delete.
var everySetting = edit{
	"network.peerCIDRs": []string{"10.9.0.0/16"}, "network.egress": "nat", "network.domains": []string{"run.app"},
	"keys.loggingServiceAccount": "service-471100000001@gcp-sa-logging.iam.gserviceaccount.com", "keys.generation": "g1",
	"detection.emails": []string{"duty@example.com"}, "authorizedNetworks": []any{map[string]any{"name": "office", "cidr": "10.9.0.0/24"}},
	"firewall": map[string]any{"webhooks": []int{9443}, "egress": []any{map[string]any{"name": "mirror", "cidrs": []string{"192.0.2.0/28"}, "reason": "images of the company"}}},
	"vpn":      map[string]any{"peerIPs": []string{"203.0.113.7", "203.0.113.8"}, "peerASN": 65010, "sharedSecret": "what both sides know and nobody else"},
	"maintenance": map[string]any{"start": "2026-01-03T00:00:00Z", "end": "2026-01-03T08:00:00Z", "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
		"exclusions": []any{map[string]any{"name": "sales", "start": "2026-11-20T00:00:00Z", "end": "2026-12-01T00:00:00Z"}}},
	"notificationTopic": office + "topics/gke",
	// Protection would hide what is lost.
	"unprotected":           true,
	"registry.repositories": []string{"services", "shop"}, "constraints": map[string]any{}, "labels": map[string]any{"team": "platform"},
	"exceptions": []any{accepted("M10/public-endpoint"), accepted("M11/public-endpoint"), accepted("M17/retention"), accepted("M38/archive"), accepted("M38/object-lock"), accepted("M18/deletion-window"),
		accepted("M39/detection"), accepted("M39/alarms"), accepted("M46/org-policy"), accepted("M26/image-policy"), accepted("M18/key-protection")},
}

const (
	region = "europe-west3"
	office = "projects/redoubt-prod-4711/"
)

// second is a second valid value of a setting.
type second struct {
	// to is what the setting becomes, with the settings that must go along.
	to edit
	// round keeps settings apart that cannot change together.
	round int
	// elsewhere is the test that changes it, or why there is no other value.
	elsewhere string
}

const rounds = 4

// secondValues has every setting of an environment; [0] is the entry of a list that is changed.
var secondValues = map[string]second{
	"platform":          {elsewhere: "another platform is another program"},
	"project.id":        {to: edit{"project.id": "redoubt-other-1"}, round: 1},
	"project.number":    {elsewhere: "a project has one number"},
	"project.region":    {to: edit{"project.region": "europe-west4", "network.zones": nil, "entry.zone": "europe-west4-a"}, round: 2},
	"kubernetesVersion": {to: edit{"kubernetesVersion": "v1.36.4"}, round: 2},
	"channel":           {to: edit{"channel": "STABLE"}},
	"autopilot":         {to: edit{"autopilot": true, "nodePools": nil, "network.zones": nil}, round: 3},
	"network.cidr":      {to: edit{"network.cidr": "10.66.0.0/16"}},
	"network.zones":     {to: edit{"network.zones": []string{region + "-a", region + "-c"}}},
	"network.peerCIDRs": {to: edit{"network.peerCIDRs": []string{"10.8.0.0/16", "10.9.0.0/16"}}},
	"network.egress":    {to: edit{"network.egress": "none", "firewall.egress": nil}, round: 1},
	"network.domains":   {to: edit{"network.domains": nil}},

	"network.existing.network":          {elsewhere: "TestSettingsOfANetworkThatExists"},
	"network.existing.subnetwork":       {elsewhere: "TestSettingsOfANetworkThatExists"},
	"network.existing.podRange":         {elsewhere: "a range of another subnetwork, which is refused"},
	"network.existing.serviceRange":     {elsewhere: "a range of another subnetwork, which is refused"},
	"network.existing.nodeCIDR":         {elsewhere: "what the subnetwork is"},
	"network.existing.podCIDR":          {elsewhere: "what the subnetwork is"},
	"network.existing.serviceCIDR":      {elsewhere: "what the subnetwork is"},
	"network.existing.controlPlaneCIDR": {elsewhere: "TestSettingsOfANetworkThatExists"},
	"network.existing.privateAccess":    {elsewhere: "what the network has"},

	"keys.generation":            {to: edit{"keys.generation": "g2"}},
	"keys.existingRing":          {to: edit{"keys.existingRing": "projects/redoubt-prod-4711/locations/europe-west3/keyRings/company"}, round: 1},
	"keys.rotationDays":          {to: edit{"keys.rotationDays": 180}},
	"keys.destroyDays":           {to: edit{"keys.destroyDays": 60}},
	"keys.protection":            {to: edit{"keys.protection": "SOFTWARE"}},
	"keys.loggingServiceAccount": {to: edit{"keys.loggingServiceAccount": nil}, round: 2},
	"keys.createAgents":          {to: edit{"keys.createAgents": false}},
	"logs.retentionDays":         {to: edit{"logs.retentionDays": 400}},
	"logs.archive.disabled":      {to: edit{"logs.archive.disabled": true}, round: 3},
	"logs.archive.bucket":        {to: edit{"logs.archive.bucket": "another-archive"}},
	"logs.archive.lock":          {to: edit{"logs.archive.lock": "none"}},
	"logs.archive.lockDays":      {to: edit{"logs.archive.lockDays": 730}, round: 2},
	"logs.dataAccess":            {to: edit{"logs.dataAccess": false}},
	"detection.disabled":         {to: edit{"detection.disabled": true}, round: 1},
	"detection.channels":         {to: edit{"detection.channels": nil}},
	"detection.emails":           {to: edit{"detection.emails": []string{"night@example.com"}}},
	"detection.without":          {to: edit{"detection.without": []string{"pod-shell"}}},

	"firewall.webhooks":           {to: edit{"firewall.webhooks": []int{8443}}},
	"firewall.egress[0].name":     {to: edit{"firewall.egress[0].name": "images"}},
	"firewall.egress[0].cidrs":    {to: edit{"firewall.egress[0].cidrs": []string{"198.51.100.0/28"}}},
	"firewall.egress[0].protocol": {to: edit{"firewall.egress[0].protocol": "udp"}},
	"firewall.egress[0].port":     {to: edit{"firewall.egress[0].port": 8443}},
	"firewall.egress[0].pods":     {to: edit{"firewall.egress[0].pods": true}},
	"firewall.egress[0].reason":   {to: edit{"firewall.egress[0].reason": "images that the company makes"}},
	"securityGroup":               {to: edit{"securityGroup": "gke-security-groups@example.org"}},
	"authorizedNetworks[0].name":  {to: edit{"authorizedNetworks[0].name": "people"}},
	"authorizedNetworks[0].cidr":  {to: edit{"authorizedNetworks[0].cidr": "10.9.1.0/24"}},
	"access[0].name":              {elsewhere: "TestNamesOfThoseWhoComeIn"},
	"access[0].role":              {to: edit{"access[2].role": "operator"}},
	"access[0].member":            {to: edit{"access[2].member": "group:revision@example.com"}},
	"publicCIDRs":                 {to: edit{"publicCIDRs": []string{"198.51.100.0/24"}}},
	"entry.zone":                  {to: edit{"entry.zone": region + "-b"}},
	"entry.image":                 {to: edit{"entry.image": "projects/cos-cloud/global/images/cos-stable-125-19216-200-1"}, round: 1},
	"entry.machineType":           {to: edit{"entry.machineType": "e2-medium"}, round: 2},
	"entry.cidr":                  {to: edit{"entry.cidr": "10.64.64.32/28"}, round: 1},
	"entry.members":               {to: edit{"entry.members": []string{"group:night@example.com", "group:platform@example.com"}}},
	"vpn.peerIPs":                 {to: edit{"vpn.peerIPs": []string{"203.0.113.7", "203.0.113.9"}}},
	"vpn.peerASN":                 {to: edit{"vpn.peerASN": 65011}},
	"vpn.asn":                     {to: edit{"vpn.asn": 64600}, round: 1},
	"vpn.sharedSecret":            {to: edit{"vpn.sharedSecret": "another that both sides know and nobody else"}},
	"vpn.links":                   {to: edit{"vpn.links": []string{"169.254.31.0/30", "169.254.32.0/30"}}, round: 1},
	"maintenance.start":           {to: edit{"maintenance.start": "2026-01-03T01:00:00Z"}},
	"maintenance.end":             {to: edit{"maintenance.end": "2026-01-03T09:00:00Z"}},
	"maintenance.recurrence":      {to: edit{"maintenance.recurrence": "FREQ=DAILY"}},

	"maintenance.exclusions[0].name":  {to: edit{"maintenance.exclusions[0].name": "season"}},
	"maintenance.exclusions[0].start": {to: edit{"maintenance.exclusions[0].start": "2026-11-21T00:00:00Z"}},
	"maintenance.exclusions[0].end":   {to: edit{"maintenance.exclusions[0].end": "2026-12-02T00:00:00Z"}},
	"maintenance.exclusions[0].scope": {to: edit{"maintenance.exclusions[0].scope": "NO_MINOR_OR_NODE_UPGRADES"}},

	"notificationTopic": {to: edit{"notificationTopic": office + "topics/notices"}},
	"costAllocation":    {to: edit{"costAllocation": true}},
	"managedPrometheus": {to: edit{"managedPrometheus": true}},
	"images.allowed":    {to: edit{"images.allowed": []string{"europe-west3-docker.pkg.dev/redoubt-prod-4711/services/**"}}},
	"images.attestors":  {to: edit{"images.attestors": []string{office + "attestors/built"}}, round: 2},
	"images.dryRun":     {to: edit{"images.dryRun": true}},

	"nodePools[0].name":            {to: edit{"nodePools[0].name": "common"}, round: 1},
	"nodePools[0].machineType":     {to: edit{"nodePools[0].machineType": "n2d-standard-8"}},
	"nodePools[0].zones":           {to: edit{"nodePools[0].zones": []string{region + "-a"}}},
	"nodePools[0].minSize":         {to: edit{"nodePools[0].minSize": 4}},
	"nodePools[0].maxSize":         {to: edit{"nodePools[0].maxSize": 20}},
	"nodePools[0].diskGiB":         {to: edit{"nodePools[0].diskGiB": 200}},
	"nodePools[0].diskType":        {to: edit{"nodePools[0].diskType": "pd-ssd"}},
	"nodePools[0].spot":            {to: edit{"nodePools[0].spot": true}, round: 2},
	"nodePools[0].gvisor":          {to: edit{"nodePools[1].gvisor": false}},
	"nodePools[0].confidential":    {to: edit{"nodePools[0].confidential": false}},
	"nodePools[0].nodeLabels":      {to: edit{"nodePools[0].nodeLabels": map[string]any{"tier": "back"}}},
	"nodePools[0].taints":          {to: edit{"nodePools[0].taints": []string{"tier=back:PreferNoSchedule"}}},
	"nodePools[0].isolation":       {to: edit{"nodePools[1].isolation": "secret"}},
	"nodePools[0].podPidsLimit":    {to: edit{"nodePools[0].podPidsLimit": 8192}},
	"nodePools[0].sysctls":         {to: edit{"nodePools[0].sysctls": map[string]any{"net.core.somaxconn": "4096"}}},
	"nodePools[0].upgradeStrategy": {to: edit{"nodePools[0].upgradeStrategy": "blue-green"}},
	"registry.repositories":        {to: edit{"registry.repositories": []string{"shop"}}},
	"registry.remotes":             {to: edit{"registry.remotes": map[string]any{"quay": "https://quay.io"}}},
	"registry.untaggedDays":        {to: edit{"registry.untaggedDays": 60}},
	"constraints.parent":           {to: edit{"constraints.parent": "folders/1234567890"}, round: 1},
	"constraints.without":          {to: edit{"constraints.without": []string{"compute.vmExternalIpAccess"}}},
	"constraints.dryRun":           {to: edit{"constraints.dryRun": true}},
	"unprotected":                  {to: edit{"unprotected": false}, round: 3},
	"allowReplacement":             {to: edit{"allowReplacement": []string{"network.cidr"}}, round: 3},
	"labels":                       {to: edit{"labels": map[string]any{"team": "security"}}},
	"exceptions":                   {to: edit{"exceptions[0].reason": "A test of what changes, and of another reason."}},
}

// existingNetwork is a network that somebody else made.
func existingNetwork(name string) edit {
	return edit{"network": map[string]any{"existing": map[string]any{"network": "projects/redoubt-dev-4712/global/networks/" + name,
		"subnetwork": "projects/redoubt-dev-4712/regions/" + region + "/subnetworks/" + name, "podRange": "pods", "serviceRange": "services",
		"nodeCIDR": "10.20.0.0/20", "podCIDR": "10.20.128.0/17", "serviceCIDR": "10.20.32.0/20", "controlPlaneCIDR": "10.20.16.0/28"}},
		"entry.cidr": "10.20.17.0/28"}
}

// theirs makes such a network, as somebody else would.
func theirs(t *testing.T, e environment) {
	t.Helper()
	other := simtest.New(t, e.Cloud, map[string]string{"gcp:project": "redoubt-dev-4712", "gcp:region": region})
	other.MustUp(func(ctx *pulumi.Context) error {
		network := must(compute.NewNetwork(ctx, "theirs", &compute.NetworkArgs{Name: pulumi.String("theirs"), AutoCreateSubnetworks: pulumi.Bool(false), DeleteDefaultRoutesOnCreate: pulumi.Bool(true)}))
		must(compute.NewSubnetwork(ctx, "theirs", &compute.SubnetworkArgs{Name: pulumi.String("theirs"), Network: network.ID(), IpCidrRange: pulumi.String("10.20.0.0/20"), PrivateIpGoogleAccess: pulumi.Bool(true),
			SecondaryIpRanges: compute.SubnetworkSecondaryIpRangeArray{
				&compute.SubnetworkSecondaryIpRangeArgs{RangeName: pulumi.String("pods"), IpCidrRange: pulumi.String("10.20.128.0/17")},
				&compute.SubnetworkSecondaryIpRangeArgs{RangeName: pulumi.String("services"), IpCidrRange: pulumi.String("10.20.32.0/20")}}}))
		return nil
	})
}
