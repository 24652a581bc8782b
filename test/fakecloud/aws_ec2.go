package fakecloud

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// awsQuery plays the query protocol of EC2 and Auto Scaling.
func (c *Cloud) awsQuery(service string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, body, refused := c.authenticate(r, service)
		values, err := url.ParseQuery(string(body))
		action := values.Get("Action")
		record := Request{Service: service, Action: action, Status: http.StatusOK}
		defer func() { c.note(record) }()
		refuse := func(e *apiError) {
			record.Status = e.status
			w.Header().Set("Content-Type", "text/xml")
			w.WriteHeader(e.status)
			type detail struct{ Code, Message string }
			if service == "ec2" {
				_ = xml.NewEncoder(w).Encode(struct {
					XMLName xml.Name `xml:"Response"`
					Error   detail   `xml:"Errors>Error"`
				}{Error: detail{e.code, e.message}})
				return
			}
			_ = xml.NewEncoder(w).Encode(struct {
				XMLName xml.Name `xml:"ErrorResponse"`
				Error   detail
			}{Error: detail{e.code, e.message}})
		}
		if session != nil {
			record.Role, record.Instance = session.role, session.instance
		}
		if fault, failing := c.fault(service, action); failing {
			record.Status = fault.Status
			fail(w, fault)
			return
		}
		version := map[string]string{"ec2": "2016-11-15", "autoscaling": "2011-01-01"}[service]
		switch {
		case refused != nil:
			refuse(refused)
			return
		case session == nil:
			refuse(refusal(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"))
			return
		case err != nil || r.Method != http.MethodPost || values.Get("Version") != version:
			refuse(refusal(http.StatusBadRequest, "InvalidAction", "The action %s is not valid for this web service.", action))
			return
		}
		resource := "*"
		switch action {
		case "CompleteLifecycleAction":
			resource = c.groupARN(values.Get("AutoScalingGroupName"))
		case "SetInstanceHealth": // it names the instance, and is judged by its group
			if instance := c.instance(values.Get("InstanceId")); instance != nil {
				resource = c.groupARN(instance.Group)
			}
		}
		if !c.authorize(access{session: session, action: service + ":" + action, resource: resource}, nil) {
			refuse(refusal(http.StatusForbidden, map[string]string{"ec2": "UnauthorizedOperation", "autoscaling": "AccessDenied"}[service],
				"You are not authorized to perform this operation. User: %s is not authorized to perform: %s:%s", c.roleARN(session.role), service, action))
			return
		}
		var answer any
		c.lock.Lock()
		switch action {
		case "DescribeInstances":
			answer, refused = c.describeInstances(values)
		case "DescribeAutoScalingInstances":
			answer, refused = c.describeAutoScalingInstances(values)
		case "CompleteLifecycleAction":
			answer, refused = c.completeLifecycleAction(values)
		case "SetInstanceHealth":
			answer, refused = c.setInstanceHealth(values)
		default:
			refused = refusal(http.StatusBadRequest, "InvalidAction", "The action %s is not valid for this web service.", action)
		}
		c.lock.Unlock()
		if refused != nil {
			refuse(refused)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		_ = xml.NewEncoder(w).Encode(answer)
	}
}

type tag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

type ec2Interface struct {
	Addresses []string `xml:"privateIpAddressesSet>item>privateIpAddress"`
}

type ec2Instance struct {
	ID         string         `xml:"instanceId"`
	State      string         `xml:"instanceState>name"`
	DNS        string         `xml:"privateDnsName"`
	Address    string         `xml:"privateIpAddress"`
	Launched   string         `xml:"launchTime"`
	Zone       string         `xml:"placement>availabilityZone"`
	Profile    string         `xml:"iamInstanceProfile>arn"`
	Interfaces []ec2Interface `xml:"networkInterfaceSet>item"`
	Tags       []tag          `xml:"tagSet>item"`
}

type ec2Reservation struct {
	ID        string        `xml:"reservationId"`
	Instances []ec2Instance `xml:"instancesSet>item"`
}

// describeInstances gives one reservation a page, so that clients that read the
// first page only are found out.
func (c *Cloud) describeInstances(values url.Values) (any, *apiError) {
	result := struct {
		XMLName      xml.Name         `xml:"DescribeInstancesResponse"`
		Reservations []ec2Reservation `xml:"reservationSet>item"`
		Next         string           `xml:"nextToken,omitempty"`
	}{}
	filters := map[string][]string{}
	for i := 1; values.Has("Filter." + strconv.Itoa(i) + ".Name"); i++ {
		at := "Filter." + strconv.Itoa(i)
		name := values.Get(at + ".Name")
		known := []string{"instance-state-name", "private-ip-address", "network-interface.addresses.private-ip-address", "private-dns-name", "iam-instance-profile.arn", "instance-id"}
		if !slices.Contains(known, name) && !strings.HasPrefix(name, "tag:") {
			return nil, refusal(http.StatusBadRequest, "InvalidParameterValue", "The filter '%s' is invalid", name)
		}
		for j := 1; values.Has(at + ".Value." + strconv.Itoa(j)); j++ {
			filters[name] = append(filters[name], values.Get(at+".Value."+strconv.Itoa(j)))
		}
	}
	var ids []string
	for i := 1; values.Has("InstanceId." + strconv.Itoa(i)); i++ {
		ids = append(ids, values.Get("InstanceId."+strconv.Itoa(i)))
	}
	for _, id := range ids {
		if c.instances[id] == nil {
			return nil, refusal(http.StatusBadRequest, "InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
		}
	}
	for _, each := range c.sorted() {
		if len(ids) > 0 && !slices.Contains(ids, each.ID) || each.ID <= values.Get("NextToken") || !c.passes(each, filters) {
			continue
		}
		if len(result.Reservations) == pageSize {
			result.Next = result.Reservations[pageSize-1].Instances[0].ID
			break
		}
		result.Reservations = append(result.Reservations, ec2Reservation{"r-" + each.ID[2:], []ec2Instance{c.described(each)}})
	}
	return result, nil
}

func (c *Cloud) described(i *Instance) ec2Instance {
	d := ec2Instance{ID: i.ID, State: i.State, Launched: i.Launched.UTC().Format(time.RFC3339), Zone: i.Zone}
	tags := map[string]string{}
	for name, value := range i.Tags {
		tags[name] = value
	}
	if i.Name != "" {
		tags["Name"] = i.Name
	}
	if i.Group != "" {
		tags["aws:autoscaling:groupName"] = i.Group
	}
	for name, value := range tags {
		d.Tags = append(d.Tags, tag{name, value})
	}
	sort.Slice(d.Tags, func(a, b int) bool { return d.Tags[a].Key < d.Tags[b].Key })
	if i.alive() { // an instance that ended has neither address nor profile
		d.DNS, d.Address, d.Profile = c.privateDNSName(i), i.Addresses[0], c.profileARN(i.Role)
		d.Interfaces = []ec2Interface{{Addresses: i.Addresses}}
	}
	return d
}

func (c *Cloud) passes(i *Instance, filters map[string][]string) bool {
	d := c.described(i)
	for name, wanted := range filters {
		var have []string
		switch name {
		case "instance-state-name":
			have = []string{d.State}
		case "instance-id":
			have = []string{d.ID}
		case "private-ip-address":
			have = []string{d.Address}
		case "network-interface.addresses.private-ip-address":
			for _, each := range d.Interfaces {
				have = append(have, each.Addresses...)
			}
		case "private-dns-name":
			have = []string{d.DNS}
		case "iam-instance-profile.arn":
			have = []string{d.Profile}
		default:
			for _, each := range d.Tags {
				if "tag:"+each.Key == name {
					have = append(have, each.Value)
				}
			}
		}
		if !slices.ContainsFunc(have, func(value string) bool {
			return slices.ContainsFunc(wanted, func(pattern string) bool { return like(pattern, value, false) })
		}) {
			return false
		}
	}
	return true
}

func (c *Cloud) describeAutoScalingInstances(values url.Values) (any, *apiError) {
	type member struct {
		InstanceId, AutoScalingGroupName, AvailabilityZone, LifecycleState, HealthStatus string //nolint // AWS's spelling
	}
	result := struct {
		XMLName xml.Name `xml:"DescribeAutoScalingInstancesResponse"`
		Members []member `xml:"DescribeAutoScalingInstancesResult>AutoScalingInstances>member"`
		Next    string   `xml:"DescribeAutoScalingInstancesResult>NextToken,omitempty"`
	}{}
	for _, each := range c.sorted() {
		if each.Group == "" || !each.alive() || each.ID <= values.Get("NextToken") {
			continue
		}
		if len(result.Members) == pageSize {
			result.Next = result.Members[pageSize-1].InstanceId
			break
		}
		state := "InService"
		if each.Leaving {
			state = "Terminating:Wait"
			if c.groups[each.Group].completed[each.ID] != "" {
				state = "Terminating:Proceed"
			}
		}
		if each.Held {
			state = "Standby"
		}
		health := "HEALTHY"
		if each.Condemned {
			health = "UNHEALTHY"
		}
		result.Members = append(result.Members, member{each.ID, each.Group, each.Zone, state, health})
	}
	return result, nil
}

func (c *Cloud) completeLifecycleAction(values url.Values) (any, *apiError) {
	instance := c.instances[values.Get("InstanceId")]
	if instance == nil || !instance.Leaving || instance.Group != values.Get("AutoScalingGroupName") || values.Get("LifecycleHookName") == "" {
		return nil, refusal(http.StatusBadRequest, "ValidationError", "No active Lifecycle Action found with instance ID %s", values.Get("InstanceId"))
	}
	result := values.Get("LifecycleActionResult")
	if result != "CONTINUE" && result != "ABANDON" {
		return nil, refusal(http.StatusBadRequest, "ValidationError", "the result %q is invalid", result)
	}
	c.groups[instance.Group].completed[instance.ID] = result
	return struct {
		XMLName xml.Name `xml:"CompleteLifecycleActionResponse"`
	}{}, nil
}

func (c *Cloud) groupARN(name string) string {
	return "arn:aws:autoscaling:" + c.region + ":" + c.account + ":autoScalingGroup:00000000-0000-0000-0000-000000000000:autoScalingGroupName/" + name
}

// setInstanceHealth: a group terminates what is unhealthy, through its hook, unless
// the instance has just come.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceHealth.html
func (c *Cloud) setInstanceHealth(values url.Values) (any, *apiError) {
	instance := c.instances[values.Get("InstanceId")]
	if instance == nil || instance.Group == "" || !instance.alive() {
		return nil, refusal(http.StatusBadRequest, "ValidationError", "Instance Id not found - No managed instance found for instance ID: %s", values.Get("InstanceId"))
	}
	health := values.Get("HealthStatus")
	if health != "Healthy" && health != "Unhealthy" {
		return nil, refusal(http.StatusBadRequest, "ValidationError", "Invalid HealthStatus %q", health)
	}
	inGrace := values.Get("ShouldRespectGracePeriod") != "false" && c.now().Before(instance.Launched.Add(healthCheckGrace))
	if health == "Unhealthy" && !inGrace {
		condemn(instance)
	}
	return struct {
		XMLName xml.Name `xml:"SetInstanceHealthResponse"`
	}{}, nil
}
