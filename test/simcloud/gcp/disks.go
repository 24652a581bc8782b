package gcp

import (
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const diskForm = "projects/{project}/zones/{zone}/disks/{name}"

// volumeTypes are disks that outlive machines: https://cloud.google.com/compute/docs/reference/rest/v1/disks
func volumeTypes() []*simcloud.ResourceType {
	t := named(kind(disk, diskForm, compute.DiskArgs{}, compute.Disk{}), 63)
	t.Defaults = simcloud.Values{"type": "pd-standard", "physicalBlockSizeBytes": 4096}
	t.Replace = append(t.Replace, "image", "snapshot", "sourceDisk", "diskEncryptionKey", "type", "description", "physicalBlockSizeBytes", "multiWriter", "storagePool",
		"enableConfidentialCompute")
	t.ReplaceIf = func(olds, news simcloud.Values) []string { // a disk grows in place, and never shrinks
		if news.Int("size") < olds.Int("size") {
			return []string{"size"}
		}
		return nil
	}
	t.Check = func(p *simcloud.Plan) {
		nameAt(p, "name")
		labelsAt(p, "labels")
		p.Between("size", 1, 65536)
		p.OneOf("type", "pd-standard", "pd-balanced", "pd-ssd", "pd-extreme", "hyperdisk-balanced", "hyperdisk-extreme", "hyperdisk-throughput")
		if p.Values.Has("diskEncryptionKey.kmsKeySelfLink") && p.Values.Has("diskEncryptionKey.rawKey") {
			p.Add("diskEncryptionKey.rawKey", "ConflictsWith: a key of Cloud KMS and one of the customer's own")
		}
	}
	encrypted := func(c *simcloud.Change) error {
		if given := c.New.String("diskEncryptionKey.kmsKeySelfLink"); given != "" {
			at := placeOf(c.Scope, c.New)
			return keyFor(c, given, computeAgent(c.Cloud, at.project), regionOf(at.zone))
		}
		return nil
	}
	judged(t, func(c *simcloud.Change) error {
		if !c.New.Has("size") && !c.New.Has("image") && !c.New.Has("snapshot") && !c.New.Has("sourceDisk") {
			c.Out["size"] = 500 // Google's own default
		}
		c.Out["diskId"] = digits(c.Cloud, "disk", 19)
		return encrypted(c)
	}, encrypted)
	return []*simcloud.ResourceType{t}
}

// attachedDisk is the reference to a disk: a name alone is one of the machine's zone.
func attachedDisk() simcloud.Reference { return holding(to("attachedDisks[].source", disk, diskForm)) }

// judgeDisks judges that a machine may have its further disks: each is in its zone, and nobody else writes to it.
// https://cloud.google.com/compute/docs/disks/add-persistent-disk
func judgeDisks(c *simcloud.Change) error {
	at := placeOf(c.Scope, c.New)
	for i, each := range c.New.List("attachedDisks") {
		id := normal(c.Scope, c.New, diskForm, each.String("source"))
		if got := part(id, "zones"); got != at.zone {
			return invalid("Invalid value for field 'resource.disks[%d].source': '%s'. Disk is in zone %s; it must be in the zone of the instance, %s.", i+1, id, got, at.zone)
		}
		for _, other := range c.Cloud.Find("", instance, func(o *simcloud.Object) bool { return o.ID != c.ID }) {
			for _, theirs := range other.State.List("attachedDisks") {
				if normal("", other.State, diskForm, theirs.String("source")) == id && (theirs.String("mode") != "READ_ONLY" || each.String("mode") != "READ_ONLY") {
					return coded(400, "resourceInUseByAnotherResource", "The disk resource '%s' is already being used by '%s'", id, other.ID)
				}
			}
		}
	}
	return nil
}

// metadataLimit is that of one value and metadataWhole that of all keys and values:
// https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations
const (
	metadataLimit = 256 << 10
	metadataWhole = 512 << 10
)

// judgeMetadata judges sizes and the values of keys that mean something to Google.
func judgeMetadata(metadata map[string]string) error {
	whole := 0
	for key, value := range metadata {
		whole += len(key) + len(value)
		if len(value) > metadataLimit {
			return invalid("Value for field 'resource.metadata.items[%s].value' is too large: maximum size %d character(s); actual size %d.", key, metadataLimit, len(value))
		}
	}
	if whole > metadataWhole {
		return invalid("Value for field 'resource.metadata' is too large: maximum size %d character(s); actual size %d.", metadataWhole, whole)
	}
	for _, key := range []string{"enable-oslogin", "block-project-ssh-keys", "serial-port-enable"} {
		if value, ok := metadata[key]; ok && !validTruth[value] {
			return invalid("Invalid value for field 'resource.metadata.items[%s].value': '%s'. Must be TRUE or FALSE.", key, value)
		}
	}
	return nil
}

var validTruth = map[string]bool{"TRUE": true, "FALSE": true, "true": true, "false": true, "True": true, "False": true, "1": true, "0": true, "Y": true, "N": true, "yes": true, "no": true}

// judgeAddress judges a machine's own address: it lies in the subnetwork, is none of Google's, and nobody else has it.
func judgeAddress(c *simcloud.Change, field, text string, in *simcloud.Object) error {
	if err := insideOf(field, text, in); err != nil {
		return err
	}
	network := networkOf(in)
	for _, other := range c.Cloud.Find("", instance, func(o *simcloud.Object) bool { return o.ID != c.ID }) {
		for _, nic := range other.State.List("networkInterfaces") {
			if nic.String("networkIp") == text && normal("", other.State, networkForm, nic.String("network")) == network {
				return coded(400, "ipInUseByAnotherResource", "IP '%s' is already being used by another resource: '%s'.", text, other.ID)
			}
		}
	}
	for _, other := range c.Cloud.Find("", forwardingRule, func(o *simcloud.Object) bool { return o.ID != c.ID && o.State.String("ipAddress") == text }) {
		if normal("", other.State, networkForm, other.State.String("network")) == network {
			return coded(400, "ipInUseByAnotherResource", "IP '%s' is already being used by another resource: '%s'.", text, other.ID)
		}
	}
	return nil
}
