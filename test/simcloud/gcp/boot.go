package gcp

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/firstboot"
)

// boots judges that a machine of Flatcar comes up: Ignition reads its user data, and fetches everything with the account
// of the machine. Google itself would start the machine and say nothing; what is wrong would show on its console.
// https://coreos.github.io/ignition/supported-platforms/
func boots(cloud *simcloud.Cloud, image, account string, metadata map[string]string) error {
	if !strings.Contains(image, "flatcar") {
		return nil
	}
	if _, err := firstboot.Boot([]byte(metadata["user-data"]), fetcher(cloud, account)); err != nil {
		return invalid("Invalid value for field 'resource.metadata.items[user-data].value': the machine does not boot: %s", err)
	}
	return nil
}

// Boot gives the machine that an instance, or a template of instances, becomes when it boots.
func Boot(cloud *simcloud.Cloud, o simcloud.Object) (m firstboot.Machine, err error) {
	cloud.Look(func() {
		m, err = firstboot.Boot([]byte(o.State.Texts("metadata")["user-data"]), fetcher(cloud, o.State.String("serviceAccount.email")))
	})
	return m, err
}

// fetcher reads objects as a service account. The cloud is locked.
func fetcher(cloud *simcloud.Cloud, account string) firstboot.Fetch {
	return func(source string) ([]byte, error) {
		at, err := url.Parse(source)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(at.Path, "/")
		switch {
		case at.Scheme == "https":
			return nil, firstboot.ErrElsewhere
		case at.Scheme != "gs":
			return nil, fmt.Errorf("machines of Google Cloud have no credentials for %s", at.Scheme)
		case cloud.Get("", bucket, at.Host) == nil:
			return nil, coded(404, "notFound", "The specified bucket does not exist: %s", at.Host)
		case cloud.Get("", bucket, at.Host).State.String("project") == elsewhere:
			return nil, firstboot.ErrElsewhere
		case !permitted(cloud, account, ReadObject, at.Host, name):
			return nil, forbidden("%s does not have storage.objects.get access to the Google Cloud Storage object %s.", account, at.Host+"/"+name)
		}
		o := cloud.Get("", bucketObject, at.Host+"-"+name)
		if o == nil {
			return nil, coded(404, "notFound", "No such object: %s/%s", at.Host, name)
		}
		return Contents(*o), nil
	}
}

// Contents are the bytes of an object of a bucket.
func Contents(o simcloud.Object) []byte {
	if file, ok := o.State.Bytes("source"); ok {
		return file
	}
	return []byte(o.State.String("content"))
}
