package cloud

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// ec2 is Amazon EC2 with EC2 Auto Scaling:
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
type ec2 struct{ *awsClient }

// apiVersions are those of the query protocol.
var apiVersions = map[string]string{"ec2": "2016-11-15", "autoscaling": "2011-01-01"}

func (e ec2) call(ctx context.Context, service, action string, values url.Values, answer any) error {
	values.Set("Action", action)
	values.Set("Version", apiVersions[service])
	header := http.Header{}
	header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	response, err := e.do(ctx, awsRequest{method: http.MethodPost, service: service, url: e.host(service), header: header, body: strings.NewReader(values.Encode())})
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	data, err := readAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return failure(action, response.StatusCode, string(data))
	}
	if err := xml.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}

type described struct {
	Reservations []struct {
		Instances []struct {
			ID        string   `xml:"instanceId"`
			State     string   `xml:"instanceState>name"`
			DNS       string   `xml:"privateDnsName"`
			Launched  string   `xml:"launchTime"`
			Profile   string   `xml:"iamInstanceProfile>arn"`
			Addresses []string `xml:"networkInterfaceSet>item>privateIpAddressesSet>item>privateIpAddress"`
			Tags      []struct {
				Key   string `xml:"key"`
				Value string `xml:"value"`
			} `xml:"tagSet>item"`
		} `xml:"instancesSet>item"`
	} `xml:"reservationSet>item"`
	Next string `xml:"nextToken"`
}

// shuttingDown is the state before terminated.
const shuttingDown = "shutting-down"

func (e ec2) Running(ctx context.Context, address string) ([]Instance, error) {
	filters := [][]string{{"tag:" + nodeconfig.TagCluster, e.cluster}, {"instance-state-name", "pending", "running"}}
	if address == "" {
		// What runs there runs until it is terminated: nobody may take its Node for the
		// Node of an instance that is gone, and with it the names of stateful pods.
		filters[1] = append(filters[1], shuttingDown)
	} else {
		filters = append(filters, []string{"network-interface.addresses.private-ip-address", address})
	}
	values := url.Values{}
	for i, filter := range filters {
		values.Set(fmt.Sprintf("Filter.%d.Name", i+1), filter[0])
		for j, value := range filter[1:] {
			values.Set(fmt.Sprintf("Filter.%d.Value.%d", i+1, j+1), value)
		}
	}
	var found []Instance
	for {
		var page described
		if err := e.call(ctx, "ec2", "DescribeInstances", values, &page); err != nil {
			return nil, err
		}
		for _, reservation := range page.Reservations {
			for _, each := range reservation.Instances {
				tags := map[string]string{}
				for _, tag := range each.Tags {
					tags[tag.Key] = tag.Value
				}
				launched, err := time.Parse(time.RFC3339, each.Launched)
				if err != nil {
					return nil, fmt.Errorf("DescribeInstances: %s: %w", each.ID, err)
				}
				// Nobody can set tags that begin with aws: but the service itself.
				found = append(found, Instance{ID: each.ID, Node: nodeconfig.HostLabel(each.DNS), Addresses: each.Addresses,
					Role: each.Profile, Group: tags["aws:autoscaling:groupName"], Launched: launched,
					Leaving: each.State == shuttingDown, Ending: each.State == shuttingDown})
			}
		}
		if page.Next == "" {
			break
		}
		values.Set("NextToken", page.Next)
	}
	if address != "" || len(found) == 0 {
		return found, nil
	}
	return found, e.leaving(ctx, found)
}

// leaving marks the instances that wait for a lifecycle action before they end, and
// those that an operator has put on standby.
func (e ec2) leaving(ctx context.Context, found []Instance) error {
	byID := map[string]*Instance{}
	for i := range found {
		byID[found[i].ID] = &found[i]
	}
	values := url.Values{}
	for {
		var page struct {
			Members []struct {
				ID    string `xml:"InstanceId"`
				State string `xml:"LifecycleState"`
			} `xml:"DescribeAutoScalingInstancesResult>AutoScalingInstances>member"`
			Next string `xml:"DescribeAutoScalingInstancesResult>NextToken"`
		}
		if err := e.call(ctx, "autoscaling", "DescribeAutoScalingInstances", values, &page); err != nil {
			return err
		}
		for _, each := range page.Members {
			if instance := byID[each.ID]; instance != nil {
				instance.Leaving = instance.Leaving || strings.HasPrefix(each.State, "Terminating")
				// https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-enter-exit-standby.html
				instance.Spared = strings.HasSuffix(each.State, "Standby")
			}
		}
		if page.Next == "" {
			return nil
		}
		values.Set("NextToken", page.Next)
	}
}

// Named looks for the address that a worker's name consists of: ip-10-0-1-5. The
// name comes from whoever asks for a certificate.
func (e ec2) Named(ctx context.Context, node string) ([]Instance, error) {
	dashed, _ := strings.CutPrefix(node, "ip-")
	address, err := netip.ParseAddr(strings.ReplaceAll(dashed, "-", "."))
	if err != nil || !address.Is4() {
		return nil, nil // no name of an instance
	}
	found, err := e.Running(ctx, address.String())
	if err != nil {
		return nil, err
	}
	return selected(found, func(i Instance) bool { return i.Node == node }), nil
}

func (e ec2) Release(ctx context.Context, instance Instance) error {
	if instance.Group == "" {
		return nil
	}
	var answer struct{}
	err := e.call(ctx, "autoscaling", "CompleteLifecycleAction", url.Values{"AutoScalingGroupName": {instance.Group}, "InstanceId": {instance.ID},
		"LifecycleHookName": {nodeconfig.LifecycleHook}, "LifecycleActionResult": {"CONTINUE"}}, &answer)
	if err != nil && !errors.Is(err, ErrDenied) && strings.Contains(err.Error(), "No active Lifecycle Action") {
		return nil // it goes already
	}
	return err
}

// Replace says that the instance is unhealthy. The group then terminates it, through
// the hook at which it is drained, and launches another one. The grace period of the
// group holds, so that nobody is judged who has just come.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_SetInstanceHealth.html
func (e ec2) Replace(ctx context.Context, instance Instance) error {
	var answer struct{}
	return e.call(ctx, "autoscaling", "SetInstanceHealth", url.Values{"InstanceId": {instance.ID}, "HealthStatus": {"Unhealthy"}, "ShouldRespectGracePeriod": {"true"}}, &answer)
}

func selected(all []Instance, keep func(Instance) bool) []Instance {
	var some []Instance
	for _, each := range all {
		if keep(each) {
			some = append(some, each)
		}
	}
	return some
}
