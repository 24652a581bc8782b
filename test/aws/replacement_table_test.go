package aws_test

import "time"

const (
	roleOf      = "arn:aws:iam::111122223333:role/"
	certificate = "arn:aws:acm:eu-central-1:111122223333:certificate/0123abcd-0000-4000-8000-"
	provider    = "arn:aws:iam::111122223333:saml-provider/"
)

// accepted is an exception that tests need.
func accepted(control string) map[string]any {
	return map[string]any{"control": control, "reason": "A test of what changes.", "expires": time.Now().AddDate(0, 6, 0).Format(time.DateOnly)}
}

// everySetting sets what aws-prod leaves out, so that every setting has something that its change could delete.
var everySetting = edit{
	"network.peerCIDRs": []string{"10.9.0.0/16"}, "network.egress": "nat", "network.egressPorts": []int{443, 8443}, "network.extraEndpoints": []string{"sqs"},
	"keys.archiveReaders": []string{roleOf + "auditors"},
	"firewall":            map[string]any{"operators": []string{"10.9.0.0/24"}, "webhooks": []int{9443}},
	"firewall.egress[0]":  map[string]any{"name": "mirror", "cidrs": []string{"192.0.2.0/28"}, "protocol": "tcp", "port": 443, "reason": "the company's images"},
	"access[3]":           map[string]any{"name": "shop", "role": "operator", "principalArn": roleOf + "shop", "namespaces": []string{"shop"}},
	"vpn": map[string]any{"clientCIDR": "10.250.0.0/22", "zones": []string{region + "a"}, "serverCertificateArn": certificate + "000000000001",
		"samlProviderArn": provider + "people", "accessGroup": "platform"},
	// Protection would hide what is lost.
	"unprotected":      true,
	"runner":           map[string]any{"egress": []any{map[string]any{"name": "sources", "cidrs": []string{"203.0.113.16/28"}, "reason": "sources of what is brought up"}}},
	"detection.emails": []string{"security@example.com"},
	"registry":         map[string]any{"repositories": []string{"shop/api", "shop/web"}, "untaggedDays": 14},
	"tags":             map[string]any{"team": "platform"},
	"exceptions":       []any{accepted("M10/public-endpoint"), accepted("M17/retention"), accepted("M38/archive"), accepted("M38/object-lock"), accepted("M18/deletion-window"), accepted("M38/audit-stream"), accepted("M39/detection")},
	"nodePools[0]":     map[string]any{"name": "general", "releaseVersion": "1.66.0-9ca2b8e4", "instanceTypes": []string{"m7i.xlarge"}, "minSize": 3, "maxSize": 12, "labels": map[string]any{"tier": "web"}},
}

// existing is a network that somebody else made; the test makes it.
func existing(vpc string, subnets, tables []string) edit {
	return edit{"network.existing": map[string]any{"vpcId": vpc, "subnetIds": subnets, "routeTableIds": tables}, "network.egress": "none", "network.cidr": "10.20.0.0/16"}
}

// second is a second valid value of a setting.
type second struct {
	// to is what the setting becomes, with the settings that must go along.
	to edit
	// round keeps settings apart that cannot change together. The last cannot be taken back.
	round int
	// elsewhere is the test that changes it, or why there is no other value.
	elsewhere string
}

const rounds = 5

// secondValues has every setting of an environment; [0] is the entry of a list that is changed.
var secondValues = map[string]second{
	"platform":            {elsewhere: "another platform is another program"},
	"account.id":          {to: edit{"account.id": "444455556666"}},
	"account.region":      {to: edit{"account.region": "eu-west-1", "network.zones": []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}, "vpn.zones": []string{"eu-west-1a"}}, round: 1},
	"kubernetesVersion":   {to: edit{"kubernetesVersion": "v1.36.4"}, round: 4},
	"network.cidr":        {to: edit{"network.cidr": "10.66.0.0/16"}},
	"network.zones":       {to: edit{"network.zones": []string{region + "a", region + "c"}}},
	"network.ipv6":        {to: edit{"network.ipv6": true}, round: 4},
	"network.serviceCIDR": {to: edit{"network.serviceCIDR": "172.21.0.0/16"}},
	"network.peerCIDRs":   {to: edit{"network.peerCIDRs": []string{"10.8.0.0/16", "10.9.0.0/16"}}},
	"network.egress":      {to: edit{"network.egress": "none", "firewall.egress": nil, "runner.egress": nil}, round: 2},
	"network.firewallEndpoints": {round: 3, to: edit{"network.egress": "firewall", "network.firewallEndpoints": map[string]any{
		region + "a": "vpce-0123456789abcdef0", region + "b": "vpce-0123456789abcdef1", region + "c": "vpce-0123456789abcdef2"}}},
	"network.egressPorts":            {to: edit{"network.egressPorts": []int{443}}},
	"network.extraEndpoints":         {to: edit{"network.extraEndpoints": []string{"sns"}}},
	"network.existing.vpcId":         {elsewhere: "TestSettingsOfANetworkThatExists"},
	"network.existing.subnetIds":     {elsewhere: "TestSettingsOfANetworkThatExists"},
	"network.existing.routeTableIds": {elsewhere: "TestSettingsOfANetworkThatExists"},
	"uses":                           {to: edit{"uses": []string{"load-balancers", "ssm", "cluster-autoscaler", "secrets-manager"}, "addonVersions.aws-guardduty-agent": nil}},
	"keys.rotationDays":              {to: edit{"keys.rotationDays": 180}},
	"keys.deletionWindowDays":        {to: edit{"keys.deletionWindowDays": 14}},
	"keys.createAutoScalingRole":     {to: edit{"keys.createAutoScalingRole": false}},
	"keys.accountDefault":            {to: edit{"keys.accountDefault": false}},
	"keys.archiveReaders":            {to: edit{"keys.archiveReaders": []string{roleOf + "platform"}}},
	"logs.retentionDays":             {to: edit{"logs.retentionDays": 90}},
	"logs.archive.disabled":          {to: edit{"logs.archive.disabled": true, "logs.trail": false}, round: 1},
	"logs.archive.bucket":            {to: edit{"logs.archive.bucket": "another-archive"}},
	"logs.archive.lock":              {to: edit{"logs.archive.lock": "none"}},
	"logs.archive.lockDays":          {to: edit{"logs.archive.lockDays": 730}},
	"logs.trail":                     {to: edit{"logs.trail": false}},
	"logs.noAuditStream":             {to: edit{"logs.noAuditStream": true}},
	"logs.sessions":                  {to: edit{"logs.sessions": false}},
	"detection.disabled":             {to: edit{"detection": map[string]any{"disabled": true}}, round: 2},
	"detection.trailLogGroup":        {to: edit{"detection.trailLogGroup": "/aws/cloudtrail/organization", "logs.trail": false}, round: 1},
	"detection.topicArn":             {to: edit{"detection.topicArn": "arn:aws:sns:eu-central-1:111122223333:security", "detection.guardDuty": nil}, round: 3},
	"detection.emails":               {to: edit{"detection.emails": []string{"on-call@example.com"}}},
	"detection.guardDuty.detectorId": {elsewhere: "an account has one detector in a region: there is no other to name"},
	"runner.egress[0].name":          {to: edit{"runner.egress[0].name": "git"}},
	"runner.egress[0].cidrs":         {to: edit{"runner.egress[0].cidrs": []string{"203.0.113.0/28"}}, round: 1},
	"runner.egress[0].protocol":      {to: edit{"runner.egress[0].protocol": "udp", "runner.egress[0].cidrs": []string{"10.9.0.54/32"}}, round: 4},
	"runner.egress[0].port":          {to: edit{"runner.egress[0].port": 8443}, round: 1},
	"runner.egress[0].pods":          {to: edit{"runner.egress[0].pods": true}},
	"runner.egress[0].reason":        {to: edit{"runner.egress[0].reason": "what is brought up"}},
	"firewall.operators":             {to: edit{"firewall.operators": []string{"10.9.1.0/24"}}},
	"firewall.webhooks":              {to: edit{"firewall.webhooks": []int{8443}}},
	"firewall.egress[0].name":        {to: edit{"firewall.egress[0].name": "images"}},
	"firewall.egress[0].cidrs":       {to: edit{"firewall.egress[0].cidrs": []string{"198.51.100.0/28"}}, round: 1},
	"firewall.egress[0].protocol":    {to: edit{"firewall.egress[0].protocol": "udp", "firewall.egress[0].cidrs": []string{"10.9.0.53/32"}}, round: 4},
	"firewall.egress[0].port":        {to: edit{"firewall.egress[0].port": 8443}, round: 1},
	"firewall.egress[0].pods":        {to: edit{"firewall.egress[0].pods": true}},
	"firewall.egress[0].reason":      {to: edit{"firewall.egress[0].reason": "images of the company"}},
	"access[0].name":                 {to: edit{"access[0].name": "administrators"}},
	"access[0].role":                 {to: edit{"access[2].role": "break-glass"}},
	"access[0].principalArn":         {to: edit{"access[1].principalArn": roleOf + "on-call"}},
	"access[0].namespaces":           {to: edit{"access[3].namespaces": []string{"shop", "cart"}}},
	"publicCIDRs":                    {to: edit{"publicCIDRs": []string{"198.51.100.0/24"}}},
	"vpn.clientCIDR":                 {to: edit{"vpn.clientCIDR": "10.251.0.0/22"}},
	"vpn.zones":                      {to: edit{"vpn.zones": []string{region + "c", region + "a"}}},
	"vpn.serverCertificateArn":       {to: edit{"vpn.serverCertificateArn": certificate + "000000000002"}},
	"vpn.clientCertificateArn":       {to: edit{"vpn.clientCertificateArn": certificate + "000000000003", "vpn.samlProviderArn": nil, "vpn.accessGroup": nil}, round: 1},
	"vpn.samlProviderArn":            {to: edit{"vpn.samlProviderArn": provider + "everybody"}},
	"vpn.accessGroup":                {to: edit{"vpn.accessGroup": "operators"}},
	"addonVersions":                  {to: edit{"addonVersions.vpc-cni": "v1.21.2-eksbuild.1"}},
	"nodePools[0].name":              {to: edit{"nodePools[0].name": "common"}},
	"nodePools[0].kubernetesVersion": {to: edit{"kubernetesVersion": "v1.36.4", "nodePools[0].kubernetesVersion": "v1.35.4"}, round: 4},
	"nodePools[0].releaseVersion":    {to: edit{"nodePools[0].releaseVersion": "1.67.0-0123abcd"}},
	"nodePools[0].instanceTypes":     {to: edit{"nodePools[0].instanceTypes": []string{"m7a.xlarge"}}},
	"nodePools[0].architecture":      {to: edit{"nodePools[0].architecture": "arm64", "nodePools[0].instanceTypes": []string{"m7g.xlarge"}}, round: 1},
	"nodePools[0].fips":              {to: edit{"nodePools[0].fips": true}, round: 2},
	"nodePools[0].spot":              {to: edit{"nodePools[0].spot": true}, round: 3},
	"nodePools[0].minSize":           {to: edit{"nodePools[0].minSize": 4}},
	"nodePools[0].maxSize":           {to: edit{"nodePools[0].maxSize": 20}},
	"nodePools[0].surgePercent":      {to: edit{"nodePools[0].surgePercent": 50}},
	"nodePools[0].dataDiskGiB":       {to: edit{"nodePools[0].dataDiskGiB": 100}},
	"nodePools[0].labels":            {to: edit{"nodePools[0].labels": map[string]any{"tier": "back"}}},
	"nodePools[0].taints":            {to: edit{"nodePools[0].taints": []string{"tier=back:PreferNoSchedule"}}},
	"nodePools[0].isolation":         {to: edit{"nodePools[1].isolation": "secret"}},
	"nodePools[0].host":              {to: edit{"nodePools[0].host": map[string]any{"settings": map[string]any{"motd": "Property of somebody."}}}},
	"registry.repositories":          {to: edit{"registry.repositories": []string{"shop/api"}}},
	"registry.cache":                 {to: edit{"registry.cache": map[string]any{"k8s": "registry.k8s.io"}}},
	"registry.cacheCredentialArns": {round: 1, to: edit{"registry.cache": map[string]any{"hub": "registry-1.docker.io"},
		"registry.cacheCredentialArns": map[string]any{"hub": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf"}}},
	"registry.untaggedDays": {to: edit{"registry.untaggedDays": 30}},
	"registry.inspector":    {to: edit{"registry.inspector": true}},
	"unprotected":           {to: edit{"unprotected": false}, round: 3},
	"allowReplacement":      {to: edit{"allowReplacement": []string{"network.zones"}}, round: 3},
	"tags":                  {to: edit{"tags": map[string]any{"team": "security"}}},
	"exceptions":            {to: edit{"exceptions[0].reason": "A test of what changes, and of another reason."}},
}
