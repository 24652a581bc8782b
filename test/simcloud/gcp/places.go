package gcp

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var projectID = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)

// regions have these zones. https://cloud.google.com/compute/docs/regions-zones
var regions = map[string]string{
	"europe-west1": "bcd", "europe-west2": "abc", "europe-west3": "abc", "europe-west4": "abc", "europe-west6": "abc", "europe-west9": "abc",
	"europe-west12": "abc", "europe-north1": "abc", "europe-southwest1": "abc", "us-central1": "abcf", "us-east1": "bcd", "us-east4": "abc",
	"us-west1": "abc", "northamerica-northeast1": "abc", "australia-southeast1": "abc", "asia-northeast1": "abc", "asia-southeast1": "abc",
}

func known() string { return strings.Join(slices.Sorted(maps.Keys(regions)), ", ") }

// zones are those of a region, by name.
func zones(region string) []string {
	var out []string
	for _, letter := range regions[region] {
		out = append(out, region+"-"+string(letter))
	}
	return out
}

// regionOf is the region of a zone or of itself, "" when there is no such place.
func regionOf(location string) string {
	if regions[location] != "" {
		return location
	}
	if i := strings.LastIndex(location, "-"); i > 0 && slices.Contains(zones(location[:i]), location) {
		return location[:i]
	}
	return ""
}

func validZone(name string) bool { return regions[name] == "" && regionOf(name) != "" }

// Number is the number of a project of which nobody said one, see [Existing]: the same for a project always.
func Number(project string) string {
	sum := sha256.Sum256([]byte(project))
	return fmt.Sprintf("%012d", 100_000_000_000+binary.BigEndian.Uint64(sum[:8])%900_000_000_000)
}

// number is that of a project, which its service agents carry in their names.
func number(cloud *simcloud.Cloud, project string) string {
	if o := cloud.Get("", projectType, "projects/"+project); o != nil {
		return o.State.String("number")
	}
	return Number(project)
}

// place is where something is: what it says itself, and else where its provider works.
type place struct{ project, region, zone string }

func placeOf(scope string, v simcloud.Values) place {
	parts := append(strings.Split(scope, "/"), "", "", "")
	p := place{project: parts[0], region: parts[1], zone: parts[2]}
	if text := v.String("project"); text != "" {
		p.project = text
	}
	if text := v.String("zone"); text != "" {
		p.zone = text
	}
	if text := v.String("region"); text != "" {
		p.region = lastPart(text)
	} else if p.region == "" {
		p.region = regionOf(p.zone)
	}
	return p
}

// location is the place of a type that lives in a region or in a zone.
func (p place) location(v simcloud.Values) string {
	switch {
	case v.String("location") != "":
		return v.String("location")
	case p.region != "":
		return p.region
	}
	return p.zone
}

func lastPart(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// part is what follows a word in a path: the region of "projects/p/regions/r/subnetworks/s".
func part(path, word string) string {
	steps := strings.Split(path, "/")
	for i := range len(steps) - 1 {
		if steps[i] == word {
			return steps[i+1]
		}
	}
	return ""
}
