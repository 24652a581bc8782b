package gcp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	parts "github.com/redoubt-dev/redoubt/components/internal/selfmanaged"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// versionDays is how long the store keeps what was replaced: long enough to see
// what a machine was told last week. What machines join with is long invalid.
const versionDays = 7

// store are the three buckets, with what those who read and write them wait for.
type store struct {
	name, snapshots, auditLog pulumi.StringOutput
	controlPlane              []any
	pools                     [][]any // in the order of the pools
}

// newStore registers the buckets, each with a key of its own, and lets each
// account read and write its part.
func newStore(ctx *pulumi.Context, name string, a FlatcarClusterArgs, grants []selfmanaged.Grant, opts ...pulumi.ResourceOption) (*store, error) {
	keys := KeysArgs{Project: a.Project, Cluster: a.Cluster, Generation: a.KeyGeneration, Labels: a.Labels}.withDefaults()
	agent := []pulumi.StringInput{pulumi.String(a.Project.agent(storageAgent))}
	guarded := append(slices.Clone(opts), pulumi.Protect(!a.Unprotected))
	storeKey, err := newKey(ctx, name, keys, a.KeyRingID, "store", agent, nil, guarded...)
	if err != nil {
		return nil, err
	}
	bucketArgs := func(bucket string, key pulumi.StringOutput) *storage.BucketArgs {
		return &storage.BucketArgs{
			Name: pulumi.String(bucket), Project: pulumi.String(a.Project.ID), Location: pulumi.String(strings.ToUpper(a.Project.Region)), StorageClass: pulumi.String("STANDARD"),
			UniformBucketLevelAccess: pulumi.Bool(true), PublicAccessPrevention: pulumi.String("enforced"),
			Encryption: storage.BucketEncryptionArgs{DefaultKmsKeyName: key}, Labels: labelled(a.Labels, a.Cluster),
			ForceDestroy: pulumi.Bool(a.Unprotected), // machines write to it, too
		}
	}
	args := bucketArgs(StoreName(a.Project, a.Cluster), storeKey)
	args.Versioning = storage.BucketVersioningArgs{Enabled: pulumi.Bool(true)}
	args.LifecycleRules = storage.BucketLifecycleRuleArray{deletion(storage.BucketLifecycleRuleConditionArgs{DaysSinceNoncurrentTime: pulumi.Int(versionDays), WithState: pulumi.String("ARCHIVED")})}
	made, err := storage.NewBucket(ctx, name+"-store", args, guarded...)
	if err != nil {
		return nil, err
	}
	// locked registers a bucket to which control planes add, and which lets nobody take
	// away. It and its key outlive the stack: what is in it is nothing without its key,
	// and Google deletes no bucket whose objects are locked.
	locked := func(use, bucketName, lock string, days int, may ...access) (pulumi.StringOutput, []any, error) {
		none := pulumi.StringOutput{}
		kept := append(slices.Clone(guarded), pulumi.RetainOnDelete(lock != LockNone))
		key, err := newKey(ctx, name, keys, a.KeyRingID, use, agent, nil, kept...)
		if err != nil {
			return none, nil, err
		}
		args := bucketArgs(bucketName, key)
		args.RetentionPolicy = storage.BucketRetentionPolicyArgs{RetentionPeriod: pulumi.Int(days * secondsPerDay), IsLocked: pulumi.Bool(lock != LockNone)}
		args.LifecycleRules = storage.BucketLifecycleRuleArray{deletion(storage.BucketLifecycleRuleConditionArgs{Age: pulumi.Int(days + 1)})}
		made, err := storage.NewBucket(ctx, name+"-"+use, args, kept...)
		if err != nil {
			return none, nil, err
		}
		ready, err := admit(ctx, name+"-"+use+"-control-plane", made, a.ControlPlaneServiceAccount, may, opts...)
		return made.Name, ready, err
	}
	s := &store{name: made.Name}
	if s.controlPlane, err = admit(ctx, name+"-store-control-plane", made, a.ControlPlaneServiceAccount, accesses(StoreName(a.Project, a.Cluster), grants, selfmanaged.ControlPlanes), opts...); err != nil {
		return nil, err
	}
	// It puts and gets copies, and neither deletes nor overwrites them.
	var ready []any
	if s.snapshots, ready, err = locked("snapshots", SnapshotsName(a.Project, a.Cluster), a.Snapshots.Lock, a.Snapshots.LockDays,
		access{name: "reads", role: readObjects}, access{name: "writes", role: createObjects}); err != nil {
		return nil, err
	}
	s.controlPlane = append(s.controlPlane, ready...)
	// It adds to the audit log, sees the names of what it added, and reads nothing of it:
	// what has happened is not for whoever gets in.
	log := AuditLogName(a.Project, a.Cluster)
	if s.auditLog, ready, err = locked("audit-log", log, a.AuditLog.Lock, a.AuditLog.LockDays, access{name: "writes", role: createObjects, title: "adds to its folder",
		expression: fmt.Sprintf("resource.name.startsWith(%q)", "projects/_/buckets/"+log+"/objects/"+nodeconfig.AuditLogPrefix)}, lists(log, "tells what it added")); err != nil {
		return nil, err
	}
	s.controlPlane = append(s.controlPlane, ready...)
	for i, p := range a.Pools {
		own, err := admit(ctx, name+"-store-"+p.Name, made, a.PoolServiceAccounts[i], accesses(StoreName(a.Project, a.Cluster), grants, selfmanaged.PoolPrincipal(p.Name)), opts...)
		if err != nil {
			return nil, err
		}
		s.pools = append(s.pools, own)
	}
	return s, nil
}

func deletion(when storage.BucketLifecycleRuleConditionArgs) storage.BucketLifecycleRuleArgs {
	return storage.BucketLifecycleRuleArgs{Action: storage.BucketLifecycleRuleActionArgs{Type: pulumi.String("Delete")}, Condition: when}
}

// admit gives an account its roles on a bucket.
func admit(ctx *pulumi.Context, name string, bucket *storage.Bucket, account pulumi.StringInput, to []access, opts ...pulumi.ResourceOption) ([]any, error) {
	var ready []any
	for _, each := range to {
		args := &storage.BucketIAMMemberArgs{Bucket: bucket.Name, Role: pulumi.String(each.role), Member: pulumi.Sprintf("serviceAccount:%s", account)}
		if each.expression != "" {
			args.Condition = storage.BucketIAMMemberConditionArgs{Title: pulumi.String(each.title), Expression: pulumi.String(each.expression)}
		}
		made, err := storage.NewBucketIAMMember(ctx, name+"-"+each.name, args, opts...)
		if err != nil {
			return nil, err
		}
		ready = append(ready, made.ID())
	}
	return ready, nil
}

// fill registers the objects that machines fetch, by key. An object is written
// once: another content is another object of the same name, and the old one goes
// first.
func (s *store) fill(ctx *pulumi.Context, name string, rendered parts.Rendered, opts ...pulumi.ResourceOption) (map[string]pulumi.Resource, error) {
	made := map[string]pulumi.Resource{}
	for _, o := range rendered.Objects {
		args := &storage.BucketObjectArgs{Bucket: s.name, Name: pulumi.String(o.Key)}
		if o.File != "" {
			args.Source = pulumi.NewFileAsset(o.File)
		} else {
			args.Content = o.Content.ToStringPtrOutput()
		}
		object, err := storage.NewBucketObject(ctx, name+"-"+o.Key, args, append(opts, pulumi.DeleteBeforeReplace(true))...)
		if err != nil {
			return nil, err
		}
		made[o.Key] = object
	}
	return made, nil
}
