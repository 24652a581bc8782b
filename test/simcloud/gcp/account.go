package gcp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	pulumigcp "github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Version is that of the SDK whose types are used.
const Version = "7.38.0"

// Open makes the cloud, with what the journal says exists.
func Open(options simcloud.Options) (*simcloud.Cloud, error) {
	return simcloud.Open(simcloud.Definition{
		Package: "gcp", Version: Version, Types: types(), Functions: functions(), Latencies: latencies,
		Provider: simcloud.Inputs(pulumigcp.ProviderArgs{}), Scope: scope, Frame: frame, Complete: complete, Retries: 10,
	}, options)
}

// types are all that is modelled, a function for each service.
func types() []*simcloud.ResourceType {
	return slices.Concat(networkTypes(), subnetworkTypes(), firewallTypes(), routeTypes(), routerTypes(), addressTypes(), instanceTypes(),
		volumeTypes(), templateTypes(), groupTypes(), balancerTypes(),
		vpnTypes(), sharedTypes(), dnsTypes(), kmsTypes(), memberTypes(), projectTypes(), accountTypes(), clusterTypes(), nodePoolTypes(),
		bucketTypes(), loggingTypes(), monitoringTypes(), registryTypes(), binaryTypes(), orgPolicyTypes(), topicTypes(), secretTypes())
}

// scope is where a provider works: "project/region/zone", of which region and zone may be empty.
func scope(config simcloud.Values) (string, error) {
	project, region, at := config.String("project"), config.String("region"), config.String("zone")
	switch {
	case project == "":
		return "", fmt.Errorf("missing required configuration key \"gcp:project\": the project in which resources are made; set it with `pulumi config set gcp:project PROJECT`")
	case !projectID.MatchString(project):
		return "", fmt.Errorf("invalid project ID %q: 6 to 30 lower-case letters, digits and hyphens, beginning with a letter", project)
	case region != "" && regions[region] == "":
		return "", fmt.Errorf("region %q is not known here (known: %s)", region, known())
	case at != "" && !validZone(at):
		return "", fmt.Errorf("zone %q is not known here", at)
	}
	return project + "/" + region + "/" + at, nil
}

// frame words an error as the provider does: what it says itself, what an operation ended with, and what an API refused.
func frame(token string, operation simcloud.Operation, e *simcloud.Error) string {
	kind := token[strings.LastIndex(token, ":")+1:]
	doing := map[simcloud.Operation][2]string{simcloud.Create: {"creating", "Creating"}, simcloud.Read: {"reading", "Reading"},
		simcloud.Update: {"updating", "Updating"}, simcloud.Delete: {"deleting", "Deleting"}}[operation]
	switch e.Code {
	case byProvider:
		return e.Message
	case inOperation:
		return fmt.Sprintf("Error waiting for %s %s: %s", doing[1], kind, e.Message)
	}
	status, reason, message := e.Status, e.Code, e.Message
	if e.Throttled { // https://cloud.google.com/docs/quotas/troubleshoot
		status, reason, message = 429, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute': "+message
	}
	if status == 0 {
		status = 400
	}
	if operation == simcloud.Invoke {
		return fmt.Sprintf("googleapi: Error %d: %s, %s", status, message, reason)
	}
	return fmt.Sprintf("Error %s %s: googleapi: Error %d: %s, %s", doing[0], kind, status, message, reason)
}

// Codes of errors that no API's answer to a call is.
const (
	byProvider  = "provider"  // the provider itself says it
	inOperation = "operation" // an operation that began well ends so
)

// The answers of the APIs, by their reasons.
func badRequest(format string, a ...any) *simcloud.Error {
	return simcloud.Errorf("badRequest", format, a...)
}

func invalid(format string, a ...any) *simcloud.Error {
	return simcloud.Errorf("invalid", format, a...)
}

func coded(status int, reason, format string, a ...any) *simcloud.Error {
	e := simcloud.Errorf(reason, format, a...)
	e.Status = status
	return e
}

func forbidden(format string, a ...any) *simcloud.Error {
	return coded(403, "forbidden", format, a...)
}
func failed(format string, a ...any) *simcloud.Error {
	return simcloud.Errorf(inOperation, format, a...)
}
func provider(format string, a ...any) *simcloud.Error {
	return simcloud.Errorf(byProvider, format, a...)
}

// complete adds the labels of the provider to those of the resource; some types have theirs under another name.
func complete(t *simcloud.ResourceType, config, inputs, state simcloud.Values) {
	if _, labelled := t.Outputs.Fields["effectiveLabels"]; !labelled {
		return
	}
	all := config.Texts("defaultLabels")
	for name, value := range inputs.Texts("labels") {
		all[name] = value
	}
	state["pulumiLabels"], state["effectiveLabels"] = all, all
}

// latencies of what takes long: clusters take 5 to 10 minutes, node pools 2, everything else less than one.
var latencies = simcloud.Latencies{
	network: {Create: seconds(12), Update: seconds(12), Delete: seconds(24)}, subnetwork: {Create: seconds(18), Update: seconds(12), Delete: seconds(18)},
	firewall: {Create: seconds(12), Update: seconds(12), Delete: seconds(12)}, route: {Create: seconds(12), Delete: seconds(12)},
	router: {Create: seconds(12), Update: seconds(12), Delete: seconds(12)}, routerNat: {Create: seconds(12), Update: seconds(12), Delete: seconds(12)},
	address: {Create: seconds(6), Delete: seconds(6)}, globalAddress: {Create: seconds(12), Delete: seconds(12)},
	disk: {Create: seconds(6), Update: seconds(6), Delete: seconds(6)}, template: {Create: seconds(6), Delete: seconds(6)},
	group: {Create: seconds(60), Update: seconds(30), Delete: seconds(60)}, healthCheck: {Create: seconds(12), Update: seconds(12), Delete: seconds(12)},
	backendService: {Create: seconds(24), Update: seconds(24), Delete: seconds(24)}, forwardingRule: {Create: seconds(24), Update: seconds(12), Delete: seconds(24)},
	endpointGroup: {Create: seconds(6), Delete: seconds(6)}, endpoint: {Create: seconds(12), Delete: seconds(12)},
	instance: {Create: seconds(18), Update: seconds(18), Delete: seconds(48)}, haGateway: {Create: seconds(12), Delete: seconds(12)},
	tunnel: {Create: seconds(12), Delete: seconds(12)}, routerInterface: {Create: seconds(12), Delete: seconds(12)}, routerPeer: {Create: seconds(12), Delete: seconds(12)},
	zone: {Create: seconds(2), Delete: seconds(2)}, recordSet: {Create: seconds(2), Delete: seconds(2)}, service: {Create: seconds(18)},
	serviceIdentity: {Create: seconds(6)}, account: {Create: seconds(12)}, projectMember: {Create: seconds(9), Delete: seconds(9)},
	keyMember: {Create: seconds(5)}, auditConfig: {Create: seconds(9)}, bucket: {Create: seconds(2)}, repository: {Create: seconds(12), Delete: seconds(12)},
	cluster: {Create: seconds(420), Update: seconds(300), Delete: seconds(240)}, nodePool: {Create: seconds(120), Update: seconds(300), Delete: seconds(180)},
	orgPolicy: {Create: seconds(6)}, logBucket: {Create: seconds(6)}, alertPolicy: {Create: seconds(6)},
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
