package gcp

import (
	"regexp"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// What the settings of an environment name and nothing in it makes.
var (
	projectSetting = regexp.MustCompile(`\bid:\s*([a-z][a-z0-9-]{4,28}[a-z0-9])\s*\n\s*number:\s*"?([0-9]+)`)
	accountSetting = regexp.MustCompile(`\b[a-z][a-z0-9-]{4,28}[a-z0-9]@([a-z][a-z0-9-]+)\.iam\.gserviceaccount\.com`)
	channelSetting = regexp.MustCompile(`\bprojects/[a-z][a-z0-9-]+/notificationChannels/[0-9]+`)
	bucketSetting  = regexp.MustCompile(`\bgs://([a-z0-9][a-z0-9._-]+[a-z0-9])/`)
	topicSetting   = regexp.MustCompile(`\bprojects/([a-z][a-z0-9-]+)/topics/([A-Za-z][A-Za-z0-9._~+%-]+)`)
)

// elsewhere is the project of buckets that settings name: somebody else looks after what is in them, and who reads it.
const elsewhere = "somebody-else"

// Existing makes the projects, service accounts, channels, topics and buckets that a text names, such as the settings of an environment:
// they are there before the environment comes. A project has the number that the text says. It gives their ids; groups
// and users belong to an organization, of which nothing is known here.
func Existing(cloud *simcloud.Cloud, text string) ([]string, error) {
	var objects []simcloud.Object
	for _, found := range projectSetting.FindAllStringSubmatch(text, -1) {
		id := "projects/" + found[1]
		objects = append(objects, simcloud.Object{Type: projectType, ID: id, State: simcloud.Values{"id": id, "projectId": found[1], "name": found[1], "number": found[2]}})
	}
	for _, found := range accountSetting.FindAllStringSubmatch(text, -1) {
		email, project := found[0], found[1]
		if strings.HasPrefix(project, "gcp-sa-") { // an agent of Google's
			continue
		}
		name, _, _ := strings.Cut(email, "@")
		id := "projects/" + project + "/serviceAccounts/" + email
		objects = append(objects, simcloud.Object{Type: account, ID: id,
			State: simcloud.Values{"name": id, "accountId": name, "project": project, "email": email, "member": "serviceAccount:" + email, "uniqueId": Number(email)}})
	}
	for _, id := range channelSetting.FindAllString(text, -1) {
		objects = append(objects, simcloud.Object{Type: notificationChannel, ID: id, State: simcloud.Values{"name": id, "type": "email", "enabled": true}})
	}
	for _, found := range topicSetting.FindAllStringSubmatch(text, -1) {
		objects = append(objects, simcloud.Object{Type: topic, ID: found[0], State: simcloud.Values{"name": found[2], "project": found[1]}})
	}
	for _, found := range bucketSetting.FindAllStringSubmatch(text, -1) {
		objects = append(objects, simcloud.Object{Type: bucket, ID: found[1], State: simcloud.Values{"name": found[1], "project": elsewhere}})
	}
	var ids []string
	for _, o := range objects {
		there := false
		cloud.Look(func() { there = cloud.Get("", o.Type, o.ID) != nil })
		if there {
			continue
		}
		o.Inputs = o.State
		if err := cloud.Put(o); err != nil {
			return nil, err
		}
		ids = append(ids, o.ID)
	}
	return ids, nil
}
