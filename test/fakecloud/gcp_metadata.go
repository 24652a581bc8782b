package fakecloud

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// gcpToken is how long an access token of the metadata server holds.
const gcpToken = time.Hour

// gcpMetadata is the metadata server of Compute Engine.
// https://cloud.google.com/compute/docs/metadata/querying-metadata
func (c *Cloud) gcpMetadata(who func(*http.Request) *Instance) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record := Request{Service: "metadata", Action: r.Method + " " + r.URL.Path, Status: http.StatusOK}
		defer func() { c.note(record) }()
		refuse := func(status int) {
			record.Status = status
			http.Error(w, http.StatusText(status), status)
		}
		w.Header().Set("Metadata-Flavor", "Google")
		w.Header().Set("Server", "Metadata Server for VM")
		if fault, failing := c.fault("metadata", record.Action); failing {
			record.Status = fault.Status
			fail(w, fault)
			return
		}
		instance := who(r)
		if instance != nil {
			record.Instance, record.Role = instance.ID, instance.Role
		}
		const prefix = "/computeMetadata/v1/"
		switch {
		case instance == nil:
			refuse(http.StatusForbidden)
		case r.URL.Path == "/": // how clients find out where they are
			fmt.Fprint(w, "computeMetadata/\n")
		case r.Method != http.MethodGet:
			refuse(http.StatusMethodNotAllowed)
		case r.Header.Get("X-Forwarded-For") != "", r.Header.Get("Metadata-Flavor") != "Google":
			refuse(http.StatusForbidden)
		case !strings.HasPrefix(r.URL.Path, prefix):
			refuse(http.StatusNotFound)
		default:
			text, found := c.gcpMetadatum(instance, strings.TrimPrefix(r.URL.Path, prefix))
			if !found {
				refuse(http.StatusNotFound)
				return
			}
			w.Header().Set("Content-Type", "application/text")
			if strings.HasPrefix(text, "{") {
				w.Header().Set("Content-Type", "application/json")
			}
			_, _ = w.Write([]byte(text))
		}
	})
}

// projectNumber is the one of the played project.
const projectNumber = "123456789012"

func (c *Cloud) gcpMetadatum(i *Instance, path string) (string, bool) {
	zone := i.Zone
	if zone == "" {
		zone = c.region + "-a"
	}
	const account = "instance/service-accounts/default/"
	values := map[string]string{
		"project/project-id": c.account, "project/numeric-project-id": projectNumber,
		"instance/id": i.ID, "instance/name": i.Name, "instance/hostname": i.Name + "." + zone + ".c." + c.account + ".internal",
		"instance/zone":                        "projects/" + projectNumber + "/zones/" + zone,
		"instance/network-interfaces/0/ip":     i.Addresses[0],
		"instance/machine-type":                "projects/" + projectNumber + "/machineTypes/n2-standard-2",
		"instance/service-accounts/":           "default/\n" + c.email(i.Role) + "/\n",
		account + "email":                      c.email(i.Role),
		account + "scopes":                     "https://www.googleapis.com/auth/cloud-platform\n",
		"instance/attributes/":                 "user-data\n",
		"universe/universe-domain":             "googleapis.com",
		"universe/universe_domain":             "googleapis.com",
		"instance/attributes/enable-oslogin":   "TRUE",
		"project/attributes/":                  "",
		"instance/scheduling/preemptible":      "FALSE",
		"instance/scheduling/automaticrestart": "TRUE",
	}
	switch {
	case path == "instance/attributes/user-data":
		return string(i.UserData), len(i.UserData) > 0
	case path == account+"token", path == "instance/service-accounts/"+c.email(i.Role)+"/token":
		c.lock.Lock()
		defer c.lock.Unlock()
		token := "ya29." + random(40)
		c.sessions[token] = &session{role: i.Role, instance: i.ID, expires: c.now().Add(gcpToken)}
		return c.json(map[string]any{"access_token": token, "expires_in": int(gcpToken.Seconds()), "token_type": "Bearer"}), true
	}
	text, found := values[path]
	return text, found
}
