package fakecloud

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

var (
	instancesPath = regexp.MustCompile(`^/compute/v1/projects/([^/]+)/zones/([^/]+)/instances(?:/([a-z]([-a-z0-9]*[a-z0-9])?))?$`)
	// filterTerm is one of AIP-160's comparisons, of those that are played.
	filterTerm = regexp.MustCompile(`^\(?(name|labels\.[a-z0-9_-]+) *= *"([^"]*)"\)?$`)
)

// computeStatus are Compute Engine's words for states of EC2.
var computeStatus = map[string]string{"pending": "STAGING", "running": "RUNNING", "shutting-down": "STOPPING", "stopping": "STOPPING", "stopped": "TERMINATED"}

func (c *Cloud) compute(w http.ResponseWriter, r *http.Request) {
	path := instancesPath.FindStringSubmatch(r.URL.Path)
	action := "instances.list"
	if path != nil && path[3] != "" {
		action = map[string]string{http.MethodGet: "instances.get", http.MethodDelete: "instances.delete"}[r.Method]
	} else if r.Method != http.MethodGet {
		action = ""
	}
	record := Request{Service: "compute", Action: action, Status: http.StatusOK}
	defer func() { c.note(record) }()
	refuse := func(e *apiError) {
		record.Status = e.status
		gcpRefuse(w, e)
	}
	if fault, failing := c.fault("compute", record.Action); failing {
		record.Status = fault.Status
		fail(w, fault)
		return
	}
	session, refused := c.bearer(r)
	if session != nil {
		record.Role, record.Instance = session.role, session.instance
	}
	switch {
	case refused != nil:
		refuse(refused)
		return
	case path == nil || action == "":
		refuse(refusal(http.StatusNotFound, "notFound", "fakecloud does not know this request"))
		return
	case path[1] != c.account || !c.permitted(session, "compute."+action, c.instanceTarget(path[2], path[3]), nil):
		refuse(refusal(http.StatusForbidden, "forbidden", "Required 'compute.%s' permission for '%s'", action, c.instanceTarget(path[2], path[3]).name))
		return
	case !strings.HasPrefix(path[2], c.region+"-"):
		refuse(refusal(http.StatusBadRequest, "invalid", "Invalid value for field 'zone': '%s'. Unknown zone.", path[2]))
		return
	}
	if path[3] != "" {
		record.Resource = path[2] + "/" + path[3]
		answer, refused := c.oneInstance(action, path[2], path[3])
		if refused != nil {
			refuse(refused)
			return
		}
		c.writeJSON(w, answer)
		return
	}
	wanted := map[string]string{}
	if filter := r.URL.Query().Get("filter"); filter != "" {
		for _, term := range strings.Split(strings.ReplaceAll(filter, ") (", ")\x00("), "\x00") {
			found := filterTerm.FindStringSubmatch(term)
			if found == nil {
				refuse(refusal(http.StatusBadRequest, "invalid", "Invalid value for field 'filter': '%s'. Invalid list filter expression.", filter))
				return
			}
			wanted[found[1]] = found[2]
		}
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	var items []map[string]any
	next := ""
	for _, each := range c.sorted() {
		if each.Zone != path[2] || !each.alive() || each.ID <= r.URL.Query().Get("pageToken") || !matches(each, wanted) {
			continue
		}
		if len(items) == pageSize {
			next = items[pageSize-1]["id"].(string)
			break
		}
		items = append(items, c.computeInstance(each))
	}
	answer := map[string]any{"kind": "compute#instanceList", "items": items}
	if next != "" {
		answer["nextPageToken"] = next
	}
	c.writeJSON(w, answer)
}

// instanceTarget is an instance as conditions see it, or the project without a name:
// lists are asked of that.
func (c *Cloud) instanceTarget(zone, name string) target {
	if name == "" {
		return target{"compute.googleapis.com", "compute.googleapis.com/Project", "projects/" + c.account}
	}
	return target{"compute.googleapis.com", "compute.googleapis.com/Instance", "projects/" + c.account + "/zones/" + zone + "/instances/" + name}
}

// oneInstance looks at an instance, or deletes it: it is about to stop for a while.
func (c *Cloud) oneInstance(action, zone, name string) (any, *apiError) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, each := range c.instances {
		if each.Zone != zone || each.Name != name || !each.alive() {
			continue
		}
		switch {
		case action == "instances.get":
			return c.computeInstance(each), nil
		case each.Held:
			return nil, refusal(http.StatusBadRequest, "invalid", "Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion.'.")
		}
		condemn(each)
		return map[string]any{"kind": "compute#operation", "operationType": "delete", "status": "RUNNING", "targetId": each.ID}, nil
	}
	return nil, refusal(http.StatusNotFound, "notFound", "The resource '%s' was not found", c.instanceTarget(zone, name).name)
}

func matches(i *Instance, wanted map[string]string) bool {
	for field, value := range wanted {
		have := i.Name
		if label, found := strings.CutPrefix(field, "labels."); found {
			have = i.Tags[label]
		}
		if have != value {
			return false
		}
	}
	return true
}

func (c *Cloud) computeInstance(i *Instance) map[string]any {
	const base = "https://www.googleapis.com/compute/v1/projects/"
	var interfaces []map[string]any
	for _, address := range i.Addresses {
		interfaces = append(interfaces, map[string]any{"networkIP": address})
	}
	var items []map[string]string
	if i.Group != "" {
		items = append(items, map[string]string{"key": "created-by", "value": "projects/" + projectNumber + "/regions/" + c.region + "/instanceGroupManagers/" + i.Group})
	}
	status := computeStatus[i.State]
	if i.Leaving {
		status = "STOPPING"
	}
	return map[string]any{"kind": "compute#instance", "id": i.ID, "name": i.Name, "status": status, "deletionProtection": i.Held,
		"creationTimestamp": i.Launched.Format(time.RFC3339), "zone": base + c.account + "/zones/" + i.Zone,
		"networkInterfaces": interfaces, "labels": i.Tags, "metadata": map[string]any{"items": items},
		"serviceAccounts": []map[string]any{{"email": c.email(i.Role), "scopes": []string{"https://www.googleapis.com/auth/cloud-platform"}}}}
}
