package gcp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/components/internal/retention"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// StoreName is the bucket from which machines of a self-managed cluster fetch what
// they are, SnapshotsName the one that keeps copies of etcd, and AuditLogName the one
// that keeps what the API servers record. Names of buckets have 63 characters at most.
func StoreName(project Project, cluster string) string { return bucketNamed(project, cluster, "store") }

// SnapshotsName is explained at [StoreName].
func SnapshotsName(project Project, cluster string) string {
	return bucketNamed(project, cluster, "etcd")
}

// AuditLogName is explained at [StoreName].
func AuditLogName(project Project, cluster string) string {
	return bucketNamed(project, cluster, "apilog")
}

func bucketNamed(project Project, cluster, use string) string {
	name := fmt.Sprintf("%s-%s-%s-%s", cluster, use, project.ID, project.Region)
	return strings.TrimRight(name[:min(len(name), 63)], "-")
}

// SnapshotsArgs describes how long copies of etcd are kept.
type SnapshotsArgs struct {
	// Lock is LockCompliance by default: nobody deletes a copy before the time is
	// over, and the bucket and its key stay when the stack goes. LockNone needs an
	// exception for M38/object-lock.
	Lock string `pulumi:"lock,optional"`
	// LockDays is 30 by default. Fewer than 7 need an exception for M38/object-lock.
	// A copy is deleted the day after.
	LockDays int `pulumi:"lockDays,optional"`
}

const (
	defaultSnapshotDays  = 30
	shortestSnapshotDays = 7 // a break-in over a long week-end is found in time
)

func (a SnapshotsArgs) withDefaults() SnapshotsArgs {
	setDefault(&a.Lock, LockCompliance)
	setDefault(&a.LockDays, defaultSnapshotDays)
	return a
}

func (a SnapshotsArgs) validate(p *problems, exceptions []hostconfig.Exception) {
	*p = append(*p, retention.Rule{Field: "snapshots", Loss: "who gets into the project can delete every copy of the cluster's data",
		Usual: defaultSnapshotDays, Shortest: shortestSnapshotDays, Short: "are less than a week", Locks: locks}.Check(a.Lock, a.LockDays, exceptions)...)
}

// AuditLogArgs describes how long the audit log of the API servers is kept where
// nobody alters it.
type AuditLogArgs struct {
	// Lock is LockCompliance by default, as in [ArchiveArgs]: nobody deletes any of it
	// before the time is over, and the bucket and its key stay when the stack goes.
	// LockNone needs an exception for M38/object-lock.
	Lock string `pulumi:"lock,optional"`
	// LockDays is 365 by default. Less needs an exception for M38/object-lock.
	LockDays int `pulumi:"lockDays,optional"`
}

func (a AuditLogArgs) withDefaults() AuditLogArgs {
	setDefault(&a.Lock, LockCompliance)
	setDefault(&a.LockDays, retention.EvidenceDays)
	return a
}

func (a AuditLogArgs) validate(p *problems, exceptions []hostconfig.Exception) {
	*p = append(*p, retention.Evidence("auditLog", "who gets into a control plane can delete what it did there", locks...).Check(a.Lock, a.LockDays, exceptions)...)
}

// access is a role for objects, with the condition that names them.
type access struct {
	name, role, title, expression string
}

// Roles on objects. To overwrite an object is to delete it and to make it anew:
// https://cloud.google.com/storage/docs/access-control/iam-permissions
const (
	readObjects      = "roles/storage.objectViewer"
	createObjects    = "roles/storage.objectCreator"
	overwriteObjects = "roles/storage.objectUser"
)

// accesses are what a principal may do with objects of the store, from the grants
// of the specification: one binding for what it reads, one for what it writes.
// Neither lets it list: lists are asked of the bucket, which no condition names.
// Control planes may, by a third one: who may not is told "forbidden" of an object
// that is not there, and could not tell that from a right that is missing. No
// machine would ever found the cluster.
// https://cloud.google.com/storage/docs/json_api/v1/objects/get
func accesses(bucket string, grants []selfmanaged.Grant, who selfmanaged.Principal) []access {
	var reads, writes []string
	for _, grant := range grants {
		if slices.Contains(grant.Readers, who) {
			reads = append(reads, grant.Key)
		}
		if slices.Contains(grant.Writers, who) {
			writes = append(writes, grant.Key)
		}
	}
	var out []access
	if expression := objectCondition(bucket, reads); expression != "" {
		out = append(out, access{"reads", readObjects, "reads what is its own", expression})
	}
	if expression := objectCondition(bucket, writes); expression != "" {
		out = append(out, access{"writes", overwriteObjects, "writes what is its own", expression})
	}
	if who == selfmanaged.ControlPlanes {
		out = append(out, lists(bucket, "tells what is not there"))
	}
	return out
}

// lists lets an account see the names of a bucket's objects, and read none.
func lists(bucket, title string) access {
	return access{"lists", readObjects, title, fmt.Sprintf("resource.name == %q", "projects/_/buckets/"+bucket)}
}

// objectCondition names objects by their keys. Who reads the authorities reads all
// of the control plane's part, and programs are everybody's: an expression has
// twelve operators at most.
// https://cloud.google.com/iam/docs/conditions-resource-attributes#resource-name
func objectCondition(bucket string, keys []string) string {
	prefix := "projects/_/buckets/" + bucket + "/objects/"
	var terms []string
	add := func(term string) {
		if !slices.Contains(terms, term) {
			terms = append(terms, term)
		}
	}
	for _, key := range keys {
		switch folder, _, _ := strings.Cut(key, "/"); {
		case folder == "control-plane" && slices.Contains(keys, selfmanaged.PKIKey("ca.key")):
			add(fmt.Sprintf("resource.name.startsWith(%q)", prefix+"control-plane/"))
		case folder == "bin":
			add(fmt.Sprintf("resource.name.startsWith(%q)", prefix+"bin/"))
		default:
			add(fmt.Sprintf("resource.name == %q", prefix+key))
		}
	}
	slices.Sort(terms)
	return strings.Join(terms, " || ")
}
