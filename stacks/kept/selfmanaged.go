package kept

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// LocalKeys is what allowReplacement names where a local key of encryption may go.
const LocalKeys = "encryption.keys"

// Names under which the settings of a cluster that runs itself stand.
const (
	generation = "authorities.generation"
	trusted    = "authorities.trusted"
	localKey   = LocalKeys + "["
)

// SelfManaged are settings of a cluster that runs itself that may change in some
// ways, on every cloud.
type SelfManaged struct {
	// Generation is that of the authorities that sign, Trusted those whose signatures
	// hold, too: a rotation goes step by step.
	Generation int
	Trusted    []int
	// LocalKeys are the names of local keys of encryption (M18).
	LocalKeys []string
	// Sizes never shrink: those of volumes, and times of locks, by their settings.
	Sizes map[string]int
}

// Standing adds what the next run compares with.
func (s SelfManaged) Standing(standing map[string]string) {
	standing[generation], standing[trusted] = strconv.Itoa(s.Generation), numbers(s.Trusted)
	for field, size := range s.Sizes {
		standing[field] = strconv.Itoa(size)
	}
	for _, name := range s.LocalKeys {
		standing[localKey+name+"]"] = "there"
	}
}

// Compare reports every setting that must not change as it did.
func (s SelfManaged) Compare(r *settings.Reader, last map[string]string, allowed []string) {
	s.compareAuthorities(r, last)
	for _, field := range slices.Sorted(maps.Keys(last)) {
		name, ofKeys := strings.CutPrefix(field, localKey)
		name = strings.TrimSuffix(name, "]")
		if ofKeys && !slices.Contains(s.LocalKeys, name) && !slices.Contains(allowed, LocalKeys) {
			r.Add(LocalKeys, name+" is left out, with which everything that it encrypted is lost", "write it again, behind the one that writes; leave it out once every secret has been rewritten and write "+LocalKeys+" in allowReplacement")
		}
	}
	for _, field := range slices.Sorted(maps.Keys(s.Sizes)) {
		is := s.Sizes[field]
		if was, err := strconv.Atoi(last[field]); err == nil && is < was {
			r.Add(field, fmt.Sprintf("was %d and is %d, and it never shrinks", was, is), fmt.Sprintf("write %d or more", was))
		}
	}
}

// compareAuthorities wants each step of a rotation: nobody trusts a generation that
// signs and was not trusted before, and what signed before must be trusted on.
func (s SelfManaged) compareAuthorities(r *settings.Reader, last map[string]string) {
	was, is := last[generation], strconv.Itoa(s.Generation)
	if was == "" || was == is {
		return
	}
	before, _ := strconv.Atoi(was)
	if !slices.Contains(strings.Split(last[trusted], ","), is) {
		r.Add(generation, fmt.Sprintf("goes from %s to %s, which no machine trusts yet", was, is), fmt.Sprintf("write %s as the generation and %s among authorities.trusted, and replace every machine, first", was, is))
	}
	if !slices.Contains(s.Trusted, before) {
		r.Add(trusted, fmt.Sprintf("leaves out %s, which signed what every machine still has", was), "write it there until every machine has been replaced")
	}
}

// Among are those of some settings that others have too.
func Among(settings, others map[string]string) map[string]string {
	out := map[string]string{}
	for field, value := range settings {
		if _, there := others[field]; there {
			out[field] = value
		}
	}
	return out
}

func numbers(of []int) string {
	var out []string
	for _, n := range of {
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, ",")
}
