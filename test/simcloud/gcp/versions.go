package gcp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// channels offer these versions, the default first.
// https://cloud.google.com/kubernetes-engine/docs/release-notes
var channels = map[string][]string{
	"RAPID":    {"1.37.1-gke.1042000", "1.37.0-gke.1201000", "1.36.4-gke.1120000", "1.35.6-gke.1204000"},
	"REGULAR":  {"1.36.4-gke.1120000", "1.36.2-gke.1098000", "1.35.6-gke.1204000", "1.34.9-gke.1150000"},
	"STABLE":   {"1.35.6-gke.1204000", "1.36.2-gke.1098000", "1.34.9-gke.1150000", "1.33.12-gke.1060000"},
	"EXTENDED": {"1.36.4-gke.1120000", "1.35.6-gke.1204000", "1.34.9-gke.1150000", "1.33.12-gke.1060000", "1.32.15-gke.1027000", "1.31.16-gke.1001000"},
}

// versions are those that a channel offers, newest first; without a channel, those of all but EXTENDED.
func versions(channel string) []string {
	out := slices.Clone(channels[channel])
	if channel == "" || channel == "UNSPECIFIED" {
		out = slices.Concat(channels["RAPID"], channels["REGULAR"], channels["STABLE"])
	}
	slices.SortFunc(out, func(a, b string) int { return newer(b, a) })
	return slices.Compact(out)
}

// newer compares two versions: above zero when the first is newer.
func newer(a, b string) int {
	x, y := numbers(a), numbers(b)
	return slices.Compare(x, y)
}

// numbers of "1.35.6-gke.1204000" are 1, 35, 6 and 1204000.
func numbers(version string) []int {
	var out []int
	for _, text := range strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := strconv.Atoi(text)
		out = append(out, n)
	}
	return out
}

func minor(version string) int {
	if n := numbers(version); len(n) > 1 {
		return n[1]
	}
	return 0
}

// resolve gives the version that a program means: whole, the newest of a prefix such as "1.35", or the channel's own.
func resolve(channel, wanted string) (string, bool) {
	offered := versions(channel)
	switch wanted {
	case "", "-":
		if own := channels[channel]; len(own) > 0 {
			return own[0], true
		}
		return channels["REGULAR"][0], true
	case "latest":
		return offered[0], true
	}
	for _, each := range offered {
		if each == wanted || strings.HasPrefix(each, wanted+".") || strings.HasPrefix(each, wanted+"-") {
			return each, true
		}
	}
	return "", false
}

// meets tells whether a version is the one that a program means.
func meets(version, wanted string) bool {
	return wanted == "" || wanted == "latest" || version == wanted || strings.HasPrefix(version, wanted+".") || strings.HasPrefix(version, wanted+"-")
}

// judgeUpgrade judges a control plane's change of version: one minor up, and never so far that nodes are left behind.
// https://cloud.google.com/kubernetes-engine/docs/concepts/cluster-upgrades
func judgeUpgrade(c *simcloud.Change) error {
	was, channel, wanted := c.Old.String("masterVersion"), c.New.String("releaseChannel.channel"), c.New.String("minMasterVersion")
	c.Out["masterVersion"] = was
	if wanted == "" || meets(was, wanted) || wanted != "latest" && newer(was, wanted) > 0 {
		return nil // a minimum that is met changes nothing
	}
	is, offered := resolve(channel, wanted)
	if !offered {
		return badRequest("Master version \"%s\" is unsupported.", wanted)
	}
	if step := minor(is) - minor(was); step > 1 {
		return badRequest("Master of cluster cannot be upgraded from \"%s\" to \"%s\": cannot upgrade the master more than a minor version at a time.", was, is)
	}
	for _, o := range poolsOf(c.Cloud, c.Object.ID) {
		if nodes := o.State.String("version"); minor(is)-minor(nodes) > 2 {
			return badRequest("Node version \"%s\" of node pool %s must be within two minor versions of master version \"%s\"; upgrade the nodes first.", nodes, o.ID, is)
		}
	}
	c.Out["masterVersion"] = is
	return nil
}

// nodeVersion is the version that nodes get, at most that of the control plane and two minors behind it.
func nodeVersion(of *simcloud.Object, wanted string) (string, error) {
	master := of.State.String("masterVersion")
	if wanted == "" || meets(master, wanted) {
		return master, nil
	}
	is, offered := resolve(of.State.String("releaseChannel.channel"), wanted)
	switch {
	case newer(wanted, master) > 0 || offered && newer(is, master) > 0:
		return "", badRequest("Node version \"%s\" must not have a minor version greater than master version \"%s\".", wanted, master)
	case minor(master)-minor(wanted) > 2:
		return "", badRequest("Node version \"%s\" must be within two minor versions of master version \"%s\".", wanted, master)
	case !offered:
		return "", badRequest("Node version \"%s\" is unsupported.", wanted)
	}
	return is, nil
}
