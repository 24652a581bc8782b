package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// DetectionArgs describes what people hear of. Project and Cluster are required,
// and one of Channels and Emails.
type DetectionArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// Channels are those of Cloud Monitoring that tell people:
	// projects/<project>/notificationChannels/<number>.
	Channels pulumi.StringArrayInput `pulumi:"channels,optional"`
	// Emails are addresses that get everything, by channels that are made for them.
	Emails []string `pulumi:"emails,optional"`
	// BreakGlassMembers are the service accounts of the entries of [GkeClusterArgs]
	// with that role, as there: records name them.
	BreakGlassMembers []string `pulumi:"breakGlassMembers,optional"`
	// Archive says that [Logs] has one: an alarm is raised when nothing gets there
	// for an hour.
	Archive bool `pulumi:"archive,optional"`
	// Without are events that nobody should hear of, by name. Each needs an exception
	// for M39/alarms.
	Without    []string          `pulumi:"without,optional"`
	Labels     map[string]string `pulumi:"labels,optional"`
	Exceptions []hostconfig.Exception
}

var (
	channelPattern = regexp.MustCompile(`^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/notificationChannels/[0-9]+$`)
	emailPattern   = regexp.MustCompile(`^[^@\s]+@[a-z0-9-]+(\.[a-z0-9-]+)+$`)
)

// events are all that the arguments ask for, those that are left out too.
func (a DetectionArgs) events() []event {
	events := slices.Concat(clusterEvents(a.Project, a.Cluster), projectEvents)
	if len(a.BreakGlassMembers) == 0 {
		return events
	}
	var emails []string
	for _, member := range a.BreakGlassMembers {
		emails = append(emails, strings.TrimPrefix(member, "serviceAccount:"))
	}
	return append(events, breakGlassEvent(emails))
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a DetectionArgs) Validate(now time.Time) error {
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	known, plain := a.Channels.(pulumi.StringArray)
	if len(a.Emails) == 0 && (a.Channels == nil || plain && len(known) == 0) {
		p.add("channels", "are missing: nobody would hear of anything", "give those that tell the people on duty, or emails")
	}
	if plain {
		for i, each := range known {
			p.known(fmt.Sprintf("channels[%d]", i), each, channelPattern, "is not a channel", "write projects/<project>/notificationChannels/<number>")
		}
	}
	for i, email := range a.Emails {
		at := fmt.Sprintf("emails[%d]", i)
		if !emailPattern.MatchString(email) {
			p.add(at, fmt.Sprintf("%q is no address", email), "write one such as security@example.com")
		}
		if slices.Contains(a.Emails[:i], email) {
			p.add(at, email+" is repeated", "list it once")
		}
	}
	for i, member := range a.BreakGlassMembers {
		email, isAccount := strings.CutPrefix(member, "serviceAccount:")
		if !isAccount || !accountPattern.MatchString(email) {
			p.add(fmt.Sprintf("breakGlassMembers[%d]", i), fmt.Sprintf("%q is no service account", member), "write serviceAccount: and its address")
		}
	}
	for i, name := range a.Without {
		at := fmt.Sprintf("without[%d]", i)
		if !slices.ContainsFunc(a.events(), func(e event) bool { return e.name == name }) {
			p.add(at, fmt.Sprintf("%q is no event", name), "leave it out")
		} else {
			p.weakens(at, "nobody hears of "+name, "M39/alarms", a.Exceptions)
		}
	}
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	return p.join()
}
