package gcp

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const computeAPI = "https://www.googleapis.com/compute/v1/"

// kind begins a type: its token, the form of its ids, and the SDK's structs. In the form, {project}, {region}, {zone} and
// {location} are its place and other names in braces are properties. Required are the lists the SDK demands.
func kind(token, form string, args, resource any, required ...string) *simcloud.ResourceType {
	t := &simcloud.ResourceType{Token: token, Global: true, Inputs: simcloud.Inputs(args, required...), Outputs: simcloud.Outputs(resource), InUse: inUse}
	for _, name := range braces.FindAllString(form, -1) {
		if name = strings.Trim(name, "{}"); t.Inputs.Fields[name] != nil {
			t.Replace = append(t.Replace, name)
		}
	}
	t.Create = func(c *simcloud.Change) error { return begin(c, t, form) }
	t.Update = func(c *simcloud.Change) error { link(c, t); return nil }
	return t
}

var braces = regexp.MustCompile(`\{\w+\}`)

// named says that a type's name is made by the provider when a program gives none.
func named(t *simcloud.ResourceType, longest int) *simcloud.ResourceType {
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: longest, Make: strings.ToLower}
	return t
}

// judged adds the judgement of the API to a type: of what is made, and of what changes unless only creations are judged.
func judged(t *simcloud.ResourceType, create, update func(*simcloud.Change) error) {
	begin, change := t.Create, t.Update
	t.Create = func(c *simcloud.Change) error {
		if err := begin(c); err != nil {
			return err
		}
		return create(c)
	}
	if update != nil {
		t.Update = func(c *simcloud.Change) error {
			c.ID = c.Object.ID
			if err := change(c); err != nil {
				return err
			}
			return update(c)
		}
	}
}

// begin gives an object its id and what every object of its type has.
func begin(c *simcloud.Change, t *simcloud.ResourceType, form string) error {
	at := placeOf(c.Scope, c.New)
	for name, value := range map[string]string{"project": at.project, "region": at.region, "zone": at.zone, "location": at.location(c.New)} {
		if t.Outputs.Fields[name] != nil && !c.New.Has(name) && t.Inputs.Fields[name] != nil && (value != "" || strings.Contains(form, "{"+name+"}")) {
			if value == "" {
				return provider("%s: required field is not set", name)
			}
			c.Out[name] = value
		}
	}
	if text := at.region; strings.Contains(form, "{region}") && regions[text] == "" {
		return invalid("Invalid value for field 'region': '%s'. Unknown region.", text)
	}
	if text := at.zone; strings.Contains(form, "{zone}") && !validZone(text) {
		return invalid("Invalid value for field 'zone': '%s'. Unknown zone.", text)
	}
	if !projectID.MatchString(at.project) {
		return coded(403, "forbidden", "The caller does not have permission on project %q, or it may not exist.", at.project)
	}
	c.ID = expand(form, at, c.New)
	if c.Cloud.Get("", t.Token, c.ID) != nil {
		return coded(409, "alreadyExists", "The resource '%s' already exists", c.ID)
	}
	for _, name := range []string{"creationTimestamp", "createTime", "creationTime", "updateTime"} {
		if t.Outputs.Fields[name] != nil {
			c.Out[name] = c.Cloud.Clock.Now().Format(time.RFC3339)
		}
	}
	for _, name := range []string{"etag", "fingerprint", "labelFingerprint", "tagsFingerprint", "metadataFingerprint"} {
		if t.Outputs.Fields[name] != nil {
			c.Out[name] = hexOf(name + c.ID)[:12]
		}
	}
	if t.Outputs.Fields["selfLink"] != nil {
		c.Out["selfLink"] = computeAPI + c.ID
	}
	link(c, t)
	return nil
}

// expand writes an id.
func expand(form string, at place, v simcloud.Values) string {
	return braces.ReplaceAllStringFunc(form, func(name string) string {
		switch name = strings.Trim(name, "{}"); name {
		case "project":
			return at.project
		case "region":
			return at.region
		case "zone":
			return at.zone
		case "location":
			return at.location(v)
		}
		return v.String(name)
	})
}

// link gives what a compute resource says of its network in full, as the API does.
func link(c *simcloud.Change, t *simcloud.ResourceType) {
	if !strings.HasPrefix(t.Token, "gcp:compute/") {
		return
	}
	for _, r := range t.References {
		if text := c.New.String(r.Path); text != "" && r.Normal != nil && (r.Path == "network" || r.Path == "subnetwork") {
			c.Out[r.Path] = computeAPI + r.Normal(c.Scope, c.New, text)
		}
	}
}

// to is a reference to one type, in any of the ways in which GCP names it: by self link, by id, by a part of either, or
// by name alone in the place of the one who refers.
func to(path, token, form string) simcloud.Reference {
	return simcloud.Reference{Path: path, To: []string{token}, Normal: func(scope string, of simcloud.Values, value string) string {
		return normal(scope, of, form, value)
	}, Missing: func(value string) *simcloud.Error {
		return coded(404, "notFound", "The resource '%s' was not found", strings.TrimPrefix(value, computeAPI))
	}}
}

// holding is a reference that keeps its target from being deleted.
func holding(r simcloud.Reference) simcloud.Reference { r.Holds = true; return r }

// normal gives the id that a value means.
func normal(scope string, of simcloud.Values, form, value string) string {
	if _, after, full := strings.Cut(value, "/v1/projects/"); full {
		return "projects/" + after
	}
	if _, after, full := strings.Cut(value, "googleapis.com/projects/"); full { // full resource names have no version
		return "projects/" + after
	}
	at := placeOf(scope, of)
	switch first, _, _ := strings.Cut(value, "/"); first {
	case "projects":
		return value
	case "global", "regions", "zones", "locations":
		return "projects/" + at.project + "/" + value
	}
	v := of.Copy()
	if v == nil {
		v = simcloud.Values{}
	}
	v["name"] = lastPart(value)
	return expand(form, at, v)
}

// The forms of the ids that others refer to.
const (
	networkForm = "projects/{project}/global/networks/{name}"
	subnetForm  = "projects/{project}/regions/{region}/subnetworks/{name}"
	routerForm  = "projects/{project}/regions/{region}/routers/{name}"
	topicForm   = "projects/{project}/topics/{name}"
	zoneForm    = "projects/{project}/managedZones/{name}"
	clusterForm = "projects/{project}/locations/{location}/clusters/{name}"
)

func toNetwork(path string) simcloud.Reference    { return to(path, network, networkForm) }
func toSubnetwork(path string) simcloud.Reference { return to(path, subnetwork, subnetForm) }

// inUse is what an operation that deletes ends with.
func inUse(o, by *simcloud.Object) *simcloud.Error {
	what := strings.ToLower(o.Type[strings.LastIndex(o.Type, ":")+1:])
	return failed("The %s resource '%s' is already being used by '%s'", what, o.ID, by.ID)
}

func hexOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// digits are a number of a sequence that looks random.
func digits(cloud *simcloud.Cloud, sequence string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", sequence, cloud.Next(sequence)))
	out := make([]byte, n)
	for i := range out {
		out[i] = '1' + sum[i]%9
	}
	return string(out)
}

var (
	rfc1035    = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)
	labelKey   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	labelValue = regexp.MustCompile(`^[a-z0-9_-]{0,63}$`)
)

// nameAt judges a name by RFC 1035, as the compute API wants them.
func nameAt(p *simcloud.Plan, path string) {
	if text := p.Values.String(path); text != "" && !rfc1035.MatchString(text) {
		p.Add(path, fmt.Sprintf("%q (%q) doesn't match regexp \"^(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)$\"", path, text))
	}
}

// labelsAt judges labels. https://cloud.google.com/resource-manager/docs/labels-overview#requirements
func labelsAt(p *simcloud.Plan, path string) {
	for name, value := range p.Values.Texts(path) {
		if !labelKey.MatchString(name) || !labelValue.MatchString(value) {
			p.Add(path, fmt.Sprintf("label %s=%q: keys begin with a lower-case letter, and only lower-case letters, digits, hyphens and underscores are allowed", name, value))
		}
	}
}

// matching judges a text by a pattern.
func matching(p *simcloud.Plan, path string, form *regexp.Regexp, words string) {
	if text := p.Values.String(path); text != "" && !form.MatchString(text) {
		p.Add(path, fmt.Sprintf("%q (%q): %s", path, text, words))
	}
}

// conflicts judges properties that exclude another by their presence.
func conflicts(p *simcloud.Plan, one string, others ...string) {
	if !p.Values.Has(one) {
		return
	}
	for _, other := range others {
		if p.Values.Has(other) {
			p.Add(other, fmt.Sprintf("ConflictsWith: %q: conflicts with %s", other, one))
		}
	}
}
