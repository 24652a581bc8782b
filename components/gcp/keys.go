package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/kms"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Where keys are kept.
const (
	// ProtectionHSM is hardware of FIPS 140-2 level 3. The default.
	ProtectionHSM = "HSM"
	// ProtectionSoftware is cheaper.
	ProtectionSoftware = "SOFTWARE"
)

// KeysArgs describes the customer keys of an environment. Project and Cluster are
// required.
type KeysArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// Generation tells the keys of an environment from those of one that had the
	// same name: rings and keys are never deleted, and their names never free.
	Generation string `pulumi:"generation,optional"`
	// ExistingRing is projects/<project>/locations/<region>/keyRings/<name>, for
	// keys in a ring that is there already.
	ExistingRing string `pulumi:"existingRing,optional"`
	// RotationDays is 90 by default. More than 365 needs an exception for
	// M18/key-rotation.
	RotationDays int `pulumi:"rotationDays,optional"`
	// DestroyDays is how long a version that is to be destroyed can be brought
	// back, 30 by default. Less needs an exception for M18/deletion-window.
	DestroyDays int `pulumi:"destroyDays,optional"`
	// Protection is ProtectionHSM by default.
	Protection string `pulumi:"protection,optional"`
	// SecretsAccount is the address of the account that encrypts what a self-managed
	// API server stores: ControlPlaneEmail of [FlatcarRoles]. It uses the secrets key
	// in the place of GKE.
	SecretsAccount pulumi.StringInput `pulumi:"secretsAccount,optional"`
	// LoggingServiceAccount is the address of the account with which Cloud Logging
	// uses keys in the project: gcloud logging settings describe shows it as
	// kmsServiceAccountId. It may use the logs key, for the bucket of [Logs].
	LoggingServiceAccount string `pulumi:"loggingServiceAccount,optional"`
	// KeepLogsKey leaves the versions of the logs key, and who reads with it, as they
	// are when the stack goes, for an archive that is locked: without its key nobody
	// reads it.
	KeepLogsKey bool `pulumi:"keepLogsKey,optional"`
	// CreateAgents makes the accounts with which GKE acts, which a fresh project
	// lacks.
	CreateAgents bool              `pulumi:"createAgents,optional"`
	Labels       map[string]string `pulumi:"labels,optional"`
	Exceptions   []hostconfig.Exception
}

// Bounds of Cloud KMS:
// https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys
const (
	shortestRotation = 2 // the period must be greater than a day
	quarterRotation  = 90
	yearlyRotation   = 365
	longestRotation  = 36500
	shortestDestroy  = 1
	monthlyDestroy   = 30
	longestDestroy   = 120
	secondsPerDay    = 86400
)

// DefaultDestroyDays is the DestroyDays of [KeysArgs] by default.
const DefaultDestroyDays = monthlyDestroy

var (
	generationPattern = regexp.MustCompile(`^[a-z0-9]{1,16}$`)
	ringPattern       = regexp.MustCompile(`^projects/[a-z][a-z0-9-]+/locations/([a-z0-9-]+)/keyRings/[A-Za-z0-9_-]{1,63}$`)
	loggingPattern    = regexp.MustCompile(`^[a-z0-9-]+@gcp-sa-logging\.iam\.gserviceaccount\.com$`)
)

func (a KeysArgs) withDefaults() KeysArgs {
	setDefault(&a.RotationDays, quarterRotation)
	setDefault(&a.DestroyDays, DefaultDestroyDays)
	setDefault(&a.Protection, ProtectionHSM)
	return a
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a KeysArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	if a.Generation != "" && !generationPattern.MatchString(a.Generation) {
		p.add("generation", fmt.Sprintf("%q is no part of a name", a.Generation), "write at most 16 lower-case letters and digits")
	}
	switch parts := ringPattern.FindStringSubmatch(a.ExistingRing); {
	case a.ExistingRing == "":
	case parts == nil:
		p.add("existingRing", fmt.Sprintf("%q is not a ring", a.ExistingRing), "write projects/<project>/locations/<region>/keyRings/<name>")
	case parts[1] != a.Project.Region:
		p.add("existingRing", "is in "+parts[1]+", and a cluster takes keys of its own region", "give one of "+a.Project.Region)
	}
	switch {
	case a.RotationDays < shortestRotation || a.RotationDays > longestRotation:
		p.add("rotationDays", fmt.Sprintf("%d is no period of rotation", a.RotationDays), fmt.Sprintf("write %d to %d", shortestRotation, yearlyRotation))
	case a.RotationDays > yearlyRotation:
		p.weakens("rotationDays", fmt.Sprintf("%d days is more than a year", a.RotationDays), "M18/key-rotation", a.Exceptions)
	}
	switch {
	case a.DestroyDays < shortestDestroy || a.DestroyDays > longestDestroy:
		p.add("destroyDays", fmt.Sprintf("%d is no waiting time", a.DestroyDays), fmt.Sprintf("write %d", monthlyDestroy))
	case a.DestroyDays < monthlyDestroy:
		p.weakens("destroyDays", fmt.Sprintf("%d days leave little time to bring a key back", a.DestroyDays), "M18/deletion-window", a.Exceptions)
	}
	if !slices.Contains([]string{ProtectionHSM, ProtectionSoftware}, a.Protection) {
		p.add("protection", fmt.Sprintf("%q is no protection", a.Protection), "write HSM or SOFTWARE")
	}
	if a.LoggingServiceAccount != "" && !loggingPattern.MatchString(a.LoggingServiceAccount) {
		p.add("loggingServiceAccount", fmt.Sprintf("%q is not an account of Cloud Logging", a.LoggingServiceAccount),
			"write what gcloud logging settings describe shows as kmsServiceAccountId")
	}
	if a.SecretsAccount != nil {
		p.account("secretsAccount", a.SecretsAccount, "give ControlPlaneEmail of FlatcarRoles")
		if a.CreateAgents {
			p.add("createAgents", "makes the account of GKE, which a self-managed cluster has no use for", "leave it out")
		}
	}
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// Keys are three customer keys, so that who may use one can use no other (M18,
// M19). Each is known once those who encrypt with it may.
type Keys struct {
	pulumi.ResourceState

	// RingID is for further keys, such as that of [ArtifactRegistry].
	RingID pulumi.StringOutput `pulumi:"ringId"`
	// SecretsKeyID encrypts the secrets of the cluster, DisksKeyID the disks of
	// nodes and claims, LogsKeyID the logs and their archive.
	SecretsKeyID pulumi.StringOutput `pulumi:"secretsKeyId"`
	DisksKeyID   pulumi.StringOutput `pulumi:"disksKeyId"`
	LogsKeyID    pulumi.StringOutput `pulumi:"logsKeyId"`
}

// NewKeys registers the keys. The arguments are checked, all at once, before
// anything is registered.
func NewKeys(ctx *pulumi.Context, name string, args *KeysArgs, opts ...pulumi.ResourceOption) (*Keys, error) {
	a := args.withDefaults()
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	k := &Keys{}
	if err := ctx.RegisterComponentResource(keysToken, name, k, opts...); err != nil {
		return nil, err
	}
	if err := k.ring(ctx, name, a); err != nil {
		return nil, err
	}
	var agents []pulumi.Resource
	if a.CreateAgents {
		agent, err := projects.NewServiceIdentity(ctx, name+"-gke", &projects.ServiceIdentityArgs{
			Project: pulumi.String(a.Project.ID), Service: pulumi.String("container.googleapis.com"),
		}, pulumi.Parent(k))
		if err != nil {
			return nil, err
		}
		agents = append(agents, agent)
	}
	logging := []pulumi.StringInput{pulumi.String(a.Project.agent(storageAgent))}
	if a.LoggingServiceAccount != "" {
		logging = append(logging, pulumi.String("serviceAccount:"+a.LoggingServiceAccount))
	}
	var secrets pulumi.StringInput = pulumi.String(a.Project.agent(gkeAgent))
	if a.SecretsAccount != nil {
		secrets = pulumi.Sprintf("serviceAccount:%s", a.SecretsAccount)
	}
	for _, each := range []struct {
		use   string
		users []pulumi.StringInput
		into  *pulumi.StringOutput
		after []pulumi.Resource
		keep  bool
	}{
		// https://cloud.google.com/kubernetes-engine/docs/how-to/encrypting-secrets#grant_permission
		{"secrets", []pulumi.StringInput{secrets}, &k.SecretsKeyID, agents, false},
		// https://cloud.google.com/kubernetes-engine/docs/how-to/using-cmek#grant_permission
		{"disks", []pulumi.StringInput{pulumi.String(a.Project.agent(computeAgent))}, &k.DisksKeyID, nil, false},
		{"logs", logging, &k.LogsKeyID, nil, a.KeepLogsKey},
	} {
		var err error
		if *each.into, err = newKey(ctx, name, a, k.RingID, each.use, each.users, each.after, pulumi.Parent(k), pulumi.RetainOnDelete(each.keep)); err != nil {
			return nil, err
		}
	}
	return k, ctx.RegisterResourceOutputs(k, pulumi.Map{
		"ringId": k.RingID, "secretsKeyId": k.SecretsKeyID, "disksKeyId": k.DisksKeyID, "logsKeyId": k.LogsKeyID,
	})
}

// ring makes the ring, or takes one that exists.
func (k *Keys) ring(ctx *pulumi.Context, name string, a KeysArgs) error {
	if a.ExistingRing != "" {
		k.RingID = text(a.ExistingRing)
		return nil
	}
	ring, err := kms.NewKeyRing(ctx, name, &kms.KeyRingArgs{
		Name: pulumi.String(a.named(a.Cluster)), Project: pulumi.String(a.Project.ID), Location: pulumi.String(a.Project.Region),
	}, pulumi.Parent(k))
	if err != nil {
		return err
	}
	k.RingID = ring.ID().ToStringOutput()
	return nil
}

// named adds the generation to a name.
func (a KeysArgs) named(name string) string {
	if a.Generation != "" {
		name += "-" + a.Generation
	}
	return name
}

// newKey registers a key and lets its users encrypt and decrypt. Its id is known
// once they may: what is encrypted with it finds the grant in place.
func newKey(ctx *pulumi.Context, name string, a KeysArgs, ring pulumi.StringInput, use string, users []pulumi.StringInput, after []pulumi.Resource,
	opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	key, err := kms.NewCryptoKey(ctx, name+"-"+use, &kms.CryptoKeyArgs{
		Name: pulumi.String(a.named(a.Cluster + "-" + use)), KeyRing: ring, Purpose: pulumi.String("ENCRYPT_DECRYPT"),
		RotationPeriod:           pulumi.String(fmt.Sprintf("%ds", a.RotationDays*secondsPerDay)),
		DestroyScheduledDuration: pulumi.String(fmt.Sprintf("%ds", a.DestroyDays*secondsPerDay)),
		VersionTemplate: kms.CryptoKeyVersionTemplateArgs{
			Algorithm: pulumi.String("GOOGLE_SYMMETRIC_ENCRYPTION"), ProtectionLevel: pulumi.String(a.Protection),
		},
		Labels: labelled(a.Labels, a.Cluster),
	}, opts...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	ready := []any{key.ID()}
	for i, user := range users {
		suffix := ""
		if i > 0 {
			suffix = fmt.Sprintf("-%d", i+1)
		}
		grant, err := kms.NewCryptoKeyIAMMember(ctx, name+"-"+use+suffix, &kms.CryptoKeyIAMMemberArgs{
			CryptoKeyId: key.ID(), Role: pulumi.String("roles/cloudkms.cryptoKeyEncrypterDecrypter"), Member: user,
		}, append(opts, pulumi.DependsOn(after))...)
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		ready = append(ready, grant.ID())
	}
	return once(ready...), nil
}
