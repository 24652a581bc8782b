package aws

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/retention"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// StoreName is the bucket from which machines of a self-managed cluster fetch what
// they are, SnapshotsName the one that keeps copies of etcd, and AuditLogName the one
// that keeps what the API servers record.
func StoreName(account Account, cluster string) string {
	return fmt.Sprintf("%s-store-%s-%s", cluster, account.ID, account.Region)
}

// SnapshotsName is explained at [StoreName].
func SnapshotsName(account Account, cluster string) string {
	return fmt.Sprintf("%s-etcd-%s-%s", cluster, account.ID, account.Region)
}

// AuditLogName is explained at [StoreName].
func AuditLogName(account Account, cluster string) string {
	return fmt.Sprintf("%s-apilog-%s-%s", cluster, account.ID, account.Region)
}

// SnapshotsArgs describes how long copies of etcd are kept.
type SnapshotsArgs struct {
	// Lock is LockGovernance by default: no machine of the cluster and nobody with
	// its credentials deletes a copy before the time is over; who administers the
	// account can, after a change of the bucket's policy. With LockCompliance nobody
	// can. Either way the bucket and its key stay when the stack goes. LockNone
	// needs an exception for M38/object-lock.
	Lock string `pulumi:"lock,optional"`
	// LockDays is 30 by default. Fewer than 7 need an exception for M38/object-lock.
	LockDays int `pulumi:"lockDays,optional"`
}

const (
	defaultSnapshotDays  = 30
	shortestSnapshotDays = 7 // a break-in over a long week-end is found in time
)

func (a SnapshotsArgs) withDefaults() SnapshotsArgs {
	setDefault(&a.Lock, LockGovernance)
	setDefault(&a.LockDays, defaultSnapshotDays)
	return a
}

func (a SnapshotsArgs) validate(p *problems, exceptions []hostconfig.Exception) {
	*p = append(*p, retention.Rule{Field: "snapshots", Loss: "who gets into a control plane can delete every copy of its data",
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

// storeKeyPolicy is for the key of all three buckets. Whoever uses it does so through
// S3, for the objects that are its own: what S3 lets through by a mistake in a
// policy of a bucket, the key still does not open.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#encryption-context
func storeKeyPolicy(account Account, cluster string, pools []string, controlPlane string, poolRoles map[string]string) document {
	store, snapshots, grants := StoreName(account, cluster), SnapshotsName(account, cluster), flatcarGrants(pools)
	through := func(objects []string) conditions {
		return conditions{"StringEquals": {"kms:ViaService": {"s3." + account.Region + ".amazonaws.com"}, "kms:CallerAccount": {account.ID}},
			"ArnLike": {"kms:EncryptionContext:aws:s3:arn": objects}}
	}
	copies, log := []string{account.s3ARN(snapshots + "/*")}, account.s3ARN(AuditLogName(account, cluster)+"/"+nodeconfig.AuditLogPrefix+"*")
	d := policy(administration(account),
		// Who makes the stack, as far as IAM lets them write to the bucket.
		statement{Sid: "ProvisionerWrites", Effect: allow, Principal: identities(account.iamARN("root")), Action: []string{"kms:Decrypt", "kms:GenerateDataKey"},
			Resource: thisKey, Condition: through(account.objects(store, writable(grants, selfmanaged.Provisioner)))},
		statement{Sid: "ControlPlanesRead", Effect: allow, Principal: identities(controlPlane), Action: []string{"kms:Decrypt"},
			Resource: thisKey, Condition: through(append(account.objects(store, readable(grants, selfmanaged.ControlPlanes)), copies...))},
		statement{Sid: "ControlPlanesWrite", Effect: allow, Principal: identities(controlPlane), Action: []string{"kms:GenerateDataKey"},
			Resource: thisKey, Condition: through(append(account.objects(store, writable(grants, selfmanaged.ControlPlanes)), append(copies, log)...))},
	)
	for i, pool := range slices.Sorted(slices.Values(pools)) {
		d.Statement = append(d.Statement, statement{Sid: fmt.Sprintf("PoolReads%d", i+1), Effect: allow, Principal: identities(poolRoles[pool]), Action: []string{"kms:Decrypt"},
			Resource: thisKey, Condition: through(account.objects(store, readable(grants, selfmanaged.PoolPrincipal(pool))))})
	}
	return d
}

// storePolicy keeps machines, whatever else they may in the account, from the keys
// of what is another's, and everybody from what is not encrypted on its way.
func storePolicy(account Account, cluster string, pools []string, controlPlane string, poolRoles map[string]string) document {
	name := StoreName(account, cluster)
	d := policy(guarded(account, name)...)
	var workers []string
	for i, pool := range slices.Sorted(slices.Values(pools)) {
		workers = append(workers, poolRoles[pool])
		var others []string
		for _, other := range pools {
			if other != pool {
				others = append(others, "workers/"+other+"/*")
			}
		}
		if len(others) > 0 {
			d.Statement = append(d.Statement, statement{Sid: fmt.Sprintf("DenyOtherPools%d", i+1), Effect: deny, Principal: identities(poolRoles[pool]),
				Action: []string{"s3:GetObject"}, Resource: account.objects(name, others)})
		}
	}
	if len(workers) > 0 {
		d.Statement = append(d.Statement,
			statement{Sid: "DenyWorkersTheControlPlane", Effect: deny, Principal: identities(workers...), Action: []string{"s3:*"}, Resource: account.objects(name, []string{"control-plane/*"})},
			statement{Sid: "DenyWorkersWriting", Effect: deny, Principal: identities(workers...), Action: []string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"}, Resource: account.objects(name, []string{"*"})})
	}
	d.Statement = append(d.Statement, statement{Sid: "DenyControlPlanesDeleting", Effect: deny, Principal: identities(controlPlane),
		Action: []string{"s3:DeleteObject", "s3:DeleteObjectVersion"}, Resource: account.objects(name, []string{"*"})})
	return d
}

// keptPolicy keeps control planes from deleting what they stored in one of the
// buckets that are locked, and everybody from putting another version above it, which
// a lock does not prevent.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
func keptPolicy(account Account, name, controlPlane string) document {
	all := account.objects(name, []string{"*"})
	return policy(append(guarded(account, name),
		statement{Sid: "DenyControlPlanesDeleting", Effect: deny, Principal: identities(controlPlane),
			Action: []string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention"}, Resource: all},
		statement{Sid: "DenyReplacing", Effect: deny, Principal: anyone(), Action: []string{"s3:PutObject"}, Resource: all,
			Condition: conditions{"Null": {"s3:if-none-match": {"true"}}}})...)
}

// flatcarStore are the three buckets, and their key.
type flatcarStore struct {
	store, snapshots, auditLog madeBucket
	keyArn                     pulumi.StringOutput
}

// newFlatcarStore registers the buckets and their key.
func newFlatcarStore(ctx *pulumi.Context, name string, a FlatcarClusterArgs, opts ...pulumi.ResourceOption) (*flatcarStore, error) {
	keyOptions := slices.Clone(opts)
	if a.Snapshots.Lock != LockNone || a.AuditLog.Lock != LockNone {
		keyOptions = append(keyOptions, pulumi.RetainOnDelete(true)) // what stays is nothing without its key
	}
	pools := a.poolNames()
	with := func(make func(controlPlane string, poolRoles map[string]string) document) pulumi.StringOutput {
		return pulumi.All(a.ControlPlaneRoleArn, a.PoolRoleArns).ApplyT(func(of []any) (string, error) {
			controlPlane, poolRoles := of[0].(string), of[1].(map[string]string)
			for _, pool := range pools {
				if err := principalProblem(poolRoles[pool]); err != nil {
					return "", fmt.Errorf("the role of the pool %s: %w", pool, err)
				}
			}
			return make(controlPlane, poolRoles).String(), principalProblem(controlPlane)
		}).(pulumi.StringOutput)
	}
	key, err := kms.NewKey(ctx, name+"-store", &kms.KeyArgs{
		Description: pulumi.String("store of the cluster " + a.Cluster), EnableKeyRotation: pulumi.Bool(true), RotationPeriodInDays: pulumi.Int(yearlyRotation),
		DeletionWindowInDays: pulumi.Int(longestWindow), Tags: tagged(a.Tags, a.Cluster, a.Cluster+"-store"),
		Policy: with(func(controlPlane string, poolRoles map[string]string) document {
			return storeKeyPolicy(a.Account, a.Cluster, pools, controlPlane, poolRoles)
		}),
	}, keyOptions...)
	if err != nil {
		return nil, err
	}
	if _, err := kms.NewAlias(ctx, name+"-store", &kms.AliasArgs{Name: pulumi.String(keyAlias(a.Cluster, "store")), TargetKeyId: key.KeyId}, opts...); err != nil {
		return nil, err
	}
	s := &flatcarStore{keyArn: key.Arn}
	storeName := StoreName(a.Account, a.Cluster)
	if s.store, err = (bucket{
		Name: storeName, KeyArn: key.Arn, Lock: LockNone, Tags: tagged(a.Tags, a.Cluster, storeName),
		Policy: with(func(controlPlane string, poolRoles map[string]string) document {
			return storePolicy(a.Account, a.Cluster, pools, controlPlane, poolRoles)
		}),
	}).register(ctx, name+"-store", opts...); err != nil {
		return nil, err
	}
	locked := func(use, bucketName, lock string, days int) (madeBucket, error) {
		return bucket{
			Name: bucketName, KeyArn: key.Arn, Lock: lock, LockDays: days, Tags: tagged(a.Tags, a.Cluster, bucketName),
			Policy: with(func(controlPlane string, _ map[string]string) document {
				return keptPolicy(a.Account, bucketName, controlPlane)
			}),
		}.register(ctx, name+"-"+use, opts...)
	}
	if s.snapshots, err = locked("snapshots", SnapshotsName(a.Account, a.Cluster), a.Snapshots.Lock, a.Snapshots.LockDays); err != nil {
		return nil, err
	}
	s.auditLog, err = locked("audit-log", AuditLogName(a.Account, a.Cluster), a.AuditLog.Lock, a.AuditLog.LockDays)
	return s, err
}
