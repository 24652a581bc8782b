package gcp

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/kms"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/logging"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/organizations"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// functions are what programs may look up.
func functions() map[string]simcloud.Function {
	out := map[string]simcloud.Function{}
	add := func(token string, args, result any, call func(q *simcloud.Query, at place) (simcloud.Values, error)) {
		f := simcloud.Function{Args: &simcloud.Type{Kind: simcloud.Struct, Fields: map[string]*simcloud.Field{}}, Result: simcloud.Inputs(result)}
		if args != nil {
			f.Args = simcloud.Inputs(args)
		}
		f.Call = func(q *simcloud.Query) (simcloud.Values, error) { return call(q, placeOf(q.Scope, q.Args)) }
		out[token] = f
	}
	add("gcp:organizations/getProject:getProject", organizations.LookupProjectArgs{}, organizations.LookupProjectResult{}, lookupProject)
	add("gcp:organizations/getClientConfig:getClientConfig", nil, organizations.GetClientConfigResult{}, func(_ *simcloud.Query, at place) (simcloud.Values, error) {
		return simcloud.Values{"id": "projects/" + at.project, "project": at.project, "region": at.region, "zone": at.zone, "accessToken": "simulated"}, nil
	})
	add("gcp:compute/getZones:getZones", compute.GetZonesArgs{}, compute.GetZonesResult{}, func(q *simcloud.Query, at place) (simcloud.Values, error) {
		if regions[at.region] == "" {
			return nil, invalid("Invalid value for field 'region': '%s'. Unknown region.", at.region)
		}
		return simcloud.Values{"id": "projects/" + at.project + "/regions/" + at.region, "project": at.project, "region": at.region, "names": zones(at.region)}, nil
	})
	add("gcp:container/getEngineVersions:getEngineVersions", container.GetEngineVersionsArgs{}, container.GetEngineVersionsResult{}, engineVersions)
	add("gcp:kms/getKMSCryptoKey:getKMSCryptoKey", kms.GetKMSCryptoKeyArgs{}, kms.GetKMSCryptoKeyResult{}, func(q *simcloud.Query, at place) (simcloud.Values, error) {
		id := q.Args.String("keyRing") + "/cryptoKeys/" + q.Args.String("name")
		o := q.Cloud.Get("", key, id)
		if o == nil {
			return nil, coded(404, "notFound", "CryptoKey %s not found.", id)
		}
		return simcloud.Values{"id": id, "name": q.Args["name"], "keyRing": q.Args["keyRing"], "purpose": o.State["purpose"], "rotationPeriod": o.State.String("rotationPeriod"),
			"cryptoKeyBackend": "", "destroyScheduledDuration": o.State.String("destroyScheduledDuration"), "importOnly": false, "skipInitialVersionCreation": false,
			"effectiveLabels": o.State.Texts("effectiveLabels"), "labels": o.State.Texts("labels"), "pulumiLabels": o.State.Texts("pulumiLabels"),
			"primaries": o.State["primaries"], "versionTemplates": []any{}, "keyAccessJustificationsPolicies": []any{}}, nil
	})
	add("gcp:kms/getKMSKeyRing:getKMSKeyRing", kms.GetKMSKeyRingArgs{}, kms.GetKMSKeyRingResult{}, func(q *simcloud.Query, at place) (simcloud.Values, error) {
		id := "projects/" + at.project + "/locations/" + q.Args.String("location") + "/keyRings/" + q.Args.String("name")
		if q.Cloud.Get("", keyRing, id) == nil {
			return nil, coded(404, "notFound", "KeyRing %s not found.", id)
		}
		return simcloud.Values{"id": id, "name": q.Args["name"], "location": q.Args["location"], "project": at.project}, nil
	})
	add("gcp:compute/getNetwork:getNetwork", compute.LookupNetworkArgs{}, compute.LookupNetworkResult{}, lookupNetwork)
	add("gcp:compute/getSubnetwork:getSubnetwork", compute.LookupSubnetworkArgs{}, compute.LookupSubnetworkResult{}, lookupSubnetwork)
	add("gcp:storage/getProjectServiceAccount:getProjectServiceAccount", storage.GetProjectServiceAccountArgs{}, storage.GetProjectServiceAccountResult{}, func(q *simcloud.Query, at place) (simcloud.Values, error) {
		who := agent(q.Cloud, at.project, "storage")
		return simcloud.Values{"id": who, "emailAddress": who, "member": "serviceAccount:" + who, "project": at.project}, nil
	})
	add("gcp:compute/getDefaultServiceAccount:getDefaultServiceAccount", compute.GetDefaultServiceAccountArgs{}, compute.GetDefaultServiceAccountResult{}, func(q *simcloud.Query, at place) (simcloud.Values, error) {
		who := defaultAccount(q.Cloud, at.project)
		name := "projects/" + at.project + "/serviceAccounts/" + who
		return simcloud.Values{"id": name, "name": name, "email": who, "member": "serviceAccount:" + who, "project": at.project, "uniqueId": number(q.Cloud, at.project) + "000000001", "displayName": "Compute Engine default service account"}, nil
	})
	add("gcp:logging/getProjectCmekSettings:getProjectCmekSettings", logging.GetProjectCmekSettingsArgs{}, logging.GetProjectCmekSettingsResult{}, func(q *simcloud.Query, at place) (simcloud.Values, error) {
		name := "projects/" + at.project + "/cmekSettings"
		return simcloud.Values{"id": name, "name": name, "project": at.project, "kmsKeyVersionName": "", "serviceAccountId": agent(q.Cloud, at.project, "logging")}, nil
	})
	return out
}

func lookupProject(q *simcloud.Query, at place) (simcloud.Values, error) {
	if given := q.Args.String("projectId"); given != "" {
		at.project = given
	}
	if !projectID.MatchString(at.project) {
		return nil, forbidden("The caller does not have permission on project %q, or it may not exist.", at.project)
	}
	none := map[string]string{}
	return simcloud.Values{"id": "projects/" + at.project, "projectId": at.project, "number": number(q.Cloud, at.project), "name": at.project, "autoCreateNetwork": false, "billingAccount": "",
		"deletionPolicy": "PREVENT", "folderId": "", "orgId": "", "skipDelete": true, "labels": none, "effectiveLabels": none, "pulumiLabels": none}, nil
}

// engineVersions are the versions of a place. https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/ServerConfig
func engineVersions(q *simcloud.Query, at place) (simcloud.Values, error) {
	location := at.location(q.Args)
	if regionOf(location) == "" {
		return nil, badRequest("Location \"%s\" does not exist.", location)
	}
	all := versions("")
	all = slices.DeleteFunc(all, func(v string) bool { return !strings.HasPrefix(v, q.Args.String("versionPrefix")) })
	first, newest := map[string]string{}, map[string]string{}
	for channel, offered := range channels {
		first[channel], newest[channel] = offered[0], versions(channel)[0]
	}
	latest := ""
	if len(all) > 0 {
		latest = all[0]
	}
	return simcloud.Values{"id": location, "location": location, "project": at.project, "validMasterVersions": all, "validNodeVersions": all, "latestMasterVersion": latest, "latestNodeVersion": latest,
		"defaultClusterVersion": channels["REGULAR"][0], "releaseChannelDefaultVersion": first, "releaseChannelLatestVersion": newest}, nil
}

func lookupNetwork(q *simcloud.Query, at place) (simcloud.Values, error) {
	id := normal(q.Scope, q.Args, networkForm, q.Args.String("name"))
	o := q.Cloud.Get("", network, id)
	if o == nil {
		return nil, coded(404, "notFound", "The resource '%s' was not found", id)
	}
	links := []string{}
	for _, each := range q.Cloud.Find("", subnetwork, func(s *simcloud.Object) bool { return networkOf(s) == id }) {
		links = append(links, each.State.String("selfLink"))
	}
	return simcloud.Values{"id": id, "name": o.State["name"], "project": o.State["project"], "selfLink": o.State["selfLink"], "description": o.State.String("description"),
		"gatewayIpv4": "", "internalIpv6Range": "", "subnetworksSelfLinks": links}, nil
}

func lookupSubnetwork(q *simcloud.Query, at place) (simcloud.Values, error) {
	given := q.Args.String("selfLink")
	if given == "" {
		given = q.Args.String("name")
	}
	id := normal(q.Scope, q.Args, subnetForm, given)
	o := q.Cloud.Get("", subnetwork, id)
	if o == nil {
		return nil, coded(404, "notFound", "The resource '%s' was not found", id)
	}
	ranges := []any{}
	for _, each := range o.State.List("secondaryIpRanges") {
		ranges = append(ranges, map[string]any{"rangeName": each.String("rangeName"), "ipCidrRange": each.String("ipCidrRange")})
	}
	return simcloud.Values{"id": id, "name": o.State["name"], "project": o.State["project"], "region": o.State["region"], "network": o.State["network"], "selfLink": o.State["selfLink"],
		"ipCidrRange": o.State["ipCidrRange"], "description": o.State.String("description"), "gatewayAddress": o.State.String("gatewayAddress"), "internalIpv6Prefix": "",
		"privateIpGoogleAccess": o.State.Bool("privateIpGoogleAccess"), "secondaryIpRanges": ranges}, nil
}
