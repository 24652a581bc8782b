package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// compute is Compute Engine: https://cloud.google.com/compute/docs/reference/rest/v1/instances/list
type compute struct{ *gcpClient }

const computeHost = "https://compute.googleapis.com"

// stopping is the status of an instance that is told to stop, for whatever reason.
const stopping = "STOPPING"

func (c compute) list(ctx context.Context, filter string) ([]Instance, error) {
	var found []Instance
	for _, zone := range c.zones {
		query := url.Values{"filter": {fmt.Sprintf("(labels.%s = %q)%s", nodeconfig.LabelCluster, c.cluster, filter)}}
		for {
			var page struct {
				Items []struct {
					ID         string `json:"id"`
					Name       string `json:"name"`
					Status     string `json:"status"`
					Created    string `json:"creationTimestamp"`
					Protected  bool   `json:"deletionProtection"`
					Interfaces []struct {
						Address string `json:"networkIP"`
					} `json:"networkInterfaces"`
					Accounts []struct {
						Email string `json:"email"`
					} `json:"serviceAccounts"`
					Metadata struct {
						Items []struct {
							Key   string `json:"key"`
							Value string `json:"value"`
						} `json:"items"`
					} `json:"metadata"`
				} `json:"items"`
				Next string `json:"nextPageToken"`
			}
			if err := c.call(ctx, "listing the instances in "+zone, http.MethodGet, c.instances(zone)+"?"+query.Encode(), nil, &page); err != nil {
				return nil, err
			}
			for _, each := range page.Items {
				if !slices.Contains([]string{"PROVISIONING", "STAGING", "RUNNING", stopping}, each.Status) {
					continue
				}
				created, err := time.Parse(time.RFC3339, each.Created)
				if err != nil {
					return nil, fmt.Errorf("instance %s: %w", each.Name, err)
				}
				// Who has been abandoned by its group still says that it made it, and may be
				// protected then: https://cloud.google.com/compute/docs/instances/preventing-accidental-vm-deletion
				instance := Instance{ID: each.ID, Node: each.Name, Launched: created, Zone: zone, Leaving: each.Status == stopping, Spared: each.Protected}
				for _, i := range each.Interfaces {
					instance.Addresses = append(instance.Addresses, i.Address)
				}
				if len(each.Accounts) == 1 {
					instance.Role = each.Accounts[0].Email
				}
				// A managed instance group notes itself on what it makes:
				// projects/NUMBER/regions/REGION/instanceGroupManagers/NAME.
				for _, item := range each.Metadata.Items {
					if item.Key == "created-by" {
						instance.Group = path.Base(item.Value)
					}
				}
				found = append(found, instance)
			}
			if page.Next == "" {
				break
			}
			query.Set("pageToken", page.Next)
		}
	}
	return found, nil
}

// instances is the URL of a zone's.
func (c compute) instances(zone string) string {
	return computeHost + "/compute/v1/projects/" + url.PathEscape(c.project) + "/zones/" + url.PathEscape(zone) + "/instances"
}

func (c compute) Running(ctx context.Context, address string) ([]Instance, error) {
	found, err := c.list(ctx, "")
	if err != nil || address == "" {
		return found, err
	}
	return selected(found, func(i Instance) bool { return slices.Contains(i.Addresses, address) }), nil
}

// Named wants a name that an instance can have: it comes from whoever asks for a
// certificate, and stands in a filter.
func (c compute) Named(ctx context.Context, node string) ([]Instance, error) {
	if len(validation.IsDNS1123Label(node)) > 0 {
		return nil, nil
	}
	found, err := c.list(ctx, fmt.Sprintf(" (name = %q)", node))
	if err != nil {
		return nil, err
	}
	return selected(found, func(i Instance) bool { return i.Node == node }), nil
}

// Release has nothing to do: a managed instance group waits for nobody.
func (compute) Release(context.Context, Instance) error { return nil }

// Replace deletes the instance. Its group, which was not told that it should have
// fewer, makes it anew from its template, under the same name:
// https://cloud.google.com/compute/docs/instance-groups/working-with-managed-instances
// To ask the group instead (recreateInstances) takes the right to change the group,
// its template included: https://cloud.google.com/compute/docs/reference/rest/v1/regionInstanceGroupManagers/recreateInstances
//
// An instance is deleted by its name, which the next one has, too. So it is looked at
// once more.
func (c compute) Replace(ctx context.Context, instance Instance) error {
	address := c.instances(instance.Zone) + "/" + url.PathEscape(instance.Node)
	var now struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	err := c.call(ctx, "looking at "+instance.Node, http.MethodGet, address, nil, &now)
	if errors.Is(err, ErrNotFound) || err == nil && (now.ID != instance.ID || now.Status == stopping) {
		return nil // it goes, or has gone
	}
	if err != nil {
		return err
	}
	var operation struct{}
	err = c.call(ctx, "deleting "+instance.Node, http.MethodDelete, address, nil, &operation)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
