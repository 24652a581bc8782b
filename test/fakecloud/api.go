package fakecloud

import (
	"net/http"
	"strings"
)

// api gives requests to the service whose host name they were sent to.
func (c *Cloud) api() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = strings.TrimSuffix(r.Host, ":443")
		switch service, _, _ := strings.Cut(r.Host, "."); {
		case c.provider == GCP && (r.Host == "storage.googleapis.com" || r.Host == "www.googleapis.com"):
			c.storage(w, r)
		case c.provider == GCP && r.Host == "compute.googleapis.com":
			c.compute(w, r)
		case c.provider == GCP && r.Host == "cloudkms.googleapis.com":
			c.cloudKMS(w, r)
		case c.provider == AWS && r.Host == service+"."+c.region+".amazonaws.com" && service == "kms":
			c.awsKMS(w, r)
		case c.provider == AWS && r.Host == service+"."+c.region+".amazonaws.com" && (service == "ec2" || service == "autoscaling"):
			c.awsQuery(service)(w, r)
		case c.provider == AWS:
			if name, _ := c.s3Target(r); name == "" {
				http.Error(w, "no such host: "+r.Host, http.StatusMisdirectedRequest)
				return
			}
			c.s3(w, r)
		default:
			http.Error(w, "no such host: "+r.Host, http.StatusMisdirectedRequest)
		}
	})
}
