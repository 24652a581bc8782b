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
	encrypted  = "host.encryption.resources"
)

// What stands for a local key.
const (
	keyReads  = "there"
	keyWrites = "writes"
)

// SelfManaged are settings of a cluster that runs itself that may change in some
// ways, on every cloud.
type SelfManaged struct {
	// Generation is that of the authorities that sign, Trusted those whose signatures
	// hold, too: a rotation goes step by step.
	Generation int
	Trusted    []int
	// LocalKeys are the names of local keys of encryption (M18), the one that writes
	// first.
	LocalKeys []string
	// Encrypted are the resources that are encrypted; none stands for secrets.
	Encrypted []string
	// Sizes never shrink: those of volumes, and times of locks, by their settings.
	Sizes map[string]int
}

// Standing adds what the next run compares with.
func (s SelfManaged) Standing(standing map[string]string) {
	standing[generation], standing[trusted] = strconv.Itoa(s.Generation), numbers(s.Trusted)
	for field, size := range s.Sizes {
		standing[field] = strconv.Itoa(size)
	}
	standing[encrypted] = s.encrypted()
	for i, name := range s.LocalKeys {
		standing[localKey+name+"]"] = keyReads
		if i == 0 {
			standing[localKey+name+"]"] = keyWrites
		}
	}
}

// Compare reports every setting that must not change as it did.
func (s SelfManaged) Compare(r *settings.Reader, last map[string]string, allowed []string) {
	s.compareAuthorities(r, last)
	s.compareKeys(r, last)
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

func (s SelfManaged) encrypted() string {
	resources := slices.Clone(s.Encrypted)
	if len(resources) == 0 {
		resources = []string{"secrets"}
	}
	slices.Sort(resources)
	return strings.Join(resources, ",")
}

// compareKeys wants each step of a rotation: a key writes only after every API server
// has been able to read it, because control planes are replaced one after the other. And
// what is encrypted stays so: API servers that read no plaintext cannot read what was
// written before, and those before them not what is written then.
func (s SelfManaged) compareKeys(r *settings.Reader, last map[string]string) {
	var before []string
	for field := range last {
		if name, found := strings.CutPrefix(field, localKey); found {
			before = append(before, strings.TrimSuffix(name, "]"))
		}
	}
	if len(before) > 0 && len(s.LocalKeys) > 0 && !slices.Contains(before, s.LocalKeys[0]) {
		r.Add(LocalKeys, s.LocalKeys[0]+" becomes the one that writes, and no API server can read it yet (M18)",
			"write it behind the others first, and replace every control plane with it")
	}
	for _, name := range before {
		if last[localKey+name+"]"] == keyWrites && !slices.Contains(s.LocalKeys, name) {
			r.Add(LocalKeys, name+" is left out, with which API servers write until their machine is replaced (M18)",
				"let another one write first, with "+name+" behind it, and wait until everything has been rewritten")
		}
	}
	if was := last[encrypted]; was != "" && was != s.encrypted() {
		r.Add(encrypted, fmt.Sprintf("was %s and is %s: what was stored before could not be read", was, s.encrypted()),
			"write what it was: what is encrypted is decided when the cluster is made")
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
