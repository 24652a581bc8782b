package gcp_test

import (
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/artifactregistry"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/kms"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func member(ctx *pulumi.Context, name, role, who string, options ...pulumi.ResourceOption) *projects.IAMMember {
	return must(projects.NewIAMMember(ctx, name, &projects.IAMMemberArgs{Project: pulumi.String(project), Role: pulumi.String(role), Member: pulumi.String(who)}, options...))
}

func newAccount(ctx *pulumi.Context, name string) *serviceaccount.Account {
	return must(serviceaccount.NewAccount(ctx, name, &serviceaccount.AccountArgs{AccountId: pulumi.String(name)}))
}

func TestPlansOfKeysAndAccountsAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Unplanned(t, open(t), settings, func(ctx *pulumi.Context) error {
		ring := pulumi.String("projects/redoubt-test/locations/europe-west3/keyRings/main")
		k := func(name string, change func(*kms.CryptoKeyArgs)) {
			args := &kms.CryptoKeyArgs{KeyRing: ring, RotationPeriod: str("7776000s")}
			change(args)
			must(kms.NewCryptoKey(ctx, name, args))
		}
		k("key", func(*kms.CryptoKeyArgs) {})
		k("daily", func(a *kms.CryptoKeyArgs) { a.RotationPeriod = str("86401s") })
		k("day", func(a *kms.CryptoKeyArgs) { a.RotationPeriod = str("86400s") })
		k("days", func(a *kms.CryptoKeyArgs) { a.RotationPeriod = str("90d") })
		k("ring", func(a *kms.CryptoKeyArgs) { a.KeyRing = pulumi.String("main") })
		k("destroy", func(a *kms.CryptoKeyArgs) { a.DestroyScheduledDuration = str("3600s") })
		k("signs", func(a *kms.CryptoKeyArgs) { a.Purpose = str("ASYMMETRIC_SIGN") })
		k("named", func(a *kms.CryptoKeyArgs) { a.Name = str("disks/1") })
		must(serviceaccount.NewAccount(ctx, "account", &serviceaccount.AccountArgs{AccountId: pulumi.String("gke-nd")}))
		must(serviceaccount.NewAccount(ctx, "short", &serviceaccount.AccountArgs{AccountId: pulumi.String("gke-n")}))
		must(serviceaccount.NewAccount(ctx, "long", &serviceaccount.AccountArgs{AccountId: pulumi.String("a123456789012345678901234567890")}))
		must(serviceaccount.NewAccount(ctx, "upper", &serviceaccount.AccountArgs{AccountId: pulumi.String("GkeNode")}))
		member(ctx, "nobody", "roles/viewer", "deployer@example.com")
		member(ctx, "somebody", "roles/viewer", "user:deployer@example.com")
		must(serviceaccount.NewIAMMember(ctx, "by-email", &serviceaccount.IAMMemberArgs{ServiceAccountId: pulumi.String("a@redoubt-test.iam.gserviceaccount.com"), Role: pulumi.String("roles/iam.serviceAccountUser"), Member: pulumi.String("user:a@example.com")}))
		audit := func(name, service string, types ...string) {
			logs := projects.IAMAuditConfigAuditLogConfigArray{}
			for _, each := range types {
				logs = append(logs, &projects.IAMAuditConfigAuditLogConfigArgs{LogType: pulumi.String(each)})
			}
			must(projects.NewIAMAuditConfig(ctx, name, &projects.IAMAuditConfigArgs{Project: pulumi.String(project), Service: pulumi.String(service), AuditLogConfigs: logs}))
		}
		audit("audit", "allServices", "ADMIN_READ", "DATA_READ", "DATA_WRITE")
		audit("audit-one", "container.googleapis.com", "DATA_READ")
		audit("audit-service", "container", "DATA_READ")
		audit("audit-type", "allServices", "READ")
		audit("audit-twice", "allServices", "DATA_READ", "DATA_READ")
		must(projects.NewService(ctx, "service", &projects.ServiceArgs{Service: pulumi.String("container.googleapis.com")}))
		must(projects.NewService(ctx, "service-name", &projects.ServiceArgs{Service: pulumi.String("container")}))
		must(projects.NewIAMCustomRole(ctx, "role", &projects.IAMCustomRoleArgs{RoleId: pulumi.String("node-reader"), Title: pulumi.String("x"), Permissions: texts("compute.instances.get")}))
		return nil
	}, simtest.Refusals{
		"day": "Rotation period must be greater than one day", "days": "form of a duration in seconds", "ring": "projects/P/locations/L/keyRings/R", "destroy": "between 24 hours", "signs": "rotation is for keys with purpose ENCRYPT_DECRYPT",
		"named": "only letters, digits", "short": "doesn't match regexp", "long": "doesn't match regexp", "upper": "doesn't match regexp", "nobody": "IAM members must have one of the values outlined here", "by-email": "serviceAccounts",
		"audit-service": "allServices, or a service", "audit-type": "ADMIN_READ", "audit-twice": "there twice", "service-name": "container.googleapis.com", "role": "3 to 64 letters",
	})
}

func TestMembersAreRefused(t *testing.T) {
	t.Parallel()
	agent := func(home string) string {
		return "serviceAccount:service-" + gcp.Number(project) + "@" + home + ".iam.gserviceaccount.com"
	}
	simtest.Refused(t, open(t), settings, func(ctx *pulumi.Context) error {
		node := newAccount(ctx, "gke-node")
		made := member(ctx, "account", "roles/logging.logWriter", "serviceAccount:gke-node@redoubt-test.iam.gserviceaccount.com", after(node))
		member(ctx, "user", "roles/container.viewer", "user:a@example.com")
		member(ctx, "group", "roles/owner", "group:admins@example.com")
		member(ctx, "domain", "roles/browser", "domain:example.com")
		member(ctx, "federation", "roles/container.developer", "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/ci/attribute.repository/a/b")
		member(ctx, "everybody", "roles/storage.objectViewer", "allUsers") // the API takes it, and it is recorded
		member(ctx, "elsewhere", "roles/viewer", "serviceAccount:ci@other-project.iam.gserviceaccount.com")
		member(ctx, "engine", "roles/container.serviceAgent", agent("container-engine-robot"))
		member(ctx, "default", "roles/logging.logWriter", "serviceAccount:"+gcp.Number(project)+"-compute@developer.gserviceaccount.com")
		member(ctx, "again", "roles/logging.logWriter", "serviceAccount:gke-node@redoubt-test.iam.gserviceaccount.com", after(made))
		member(ctx, "missing", "roles/viewer", "serviceAccount:nobody@redoubt-test.iam.gserviceaccount.com")
		member(ctx, "account-as-user", "roles/viewer", "user:gke-node@redoubt-test.iam.gserviceaccount.com")
		member(ctx, "email", "roles/viewer", "user:deployer")
		member(ctx, "of-no-domain", "roles/viewer", "domain:example")
		member(ctx, "kind", "roles/viewer", "robot:a@example.com")
		member(ctx, "principal", "roles/viewer", "principalSet://example.com/pool")
		member(ctx, "role", "roles/logging", "user:a@example.com")
		member(ctx, "other-role", "roles/spaceship.captain", "user:a@example.com")
		member(ctx, "custom", "projects/redoubt-test/roles/none", "user:a@example.com")
		member(ctx, "pool", "roles/viewer", "serviceAccount:redoubt-test.svc.id.goog[default/app]")
		member(ctx, "pool-principal", "roles/viewer", "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/redoubt-test.svc.id.goog/subject/ns/default/sa/app")
		member(ctx, "agent-too-early", "roles/viewer", agent("gcp-sa-artifactregistry"))
		identity := must(projects.NewServiceIdentity(ctx, "secrets", &projects.ServiceIdentityArgs{Service: pulumi.String("secretmanager.googleapis.com")}))
		member(ctx, "agent-asked-for", "roles/viewer", agent("gcp-sa-secretmanager"), after(identity))
		ring := newRing(ctx, "ring")
		k := newKey(ctx, "key", ring)
		on := func(name, role string) {
			must(kms.NewCryptoKeyIAMMember(ctx, name, &kms.CryptoKeyIAMMemberArgs{CryptoKeyId: k.ID(), Role: pulumi.String(role), Member: node.Member}))
		}
		on("on-key", "roles/cloudkms.cryptoKeyDecrypter")
		on("on-key-wrong", "roles/storage.admin")
		must(kms.NewCryptoKeyIAMMember(ctx, "no-key", &kms.CryptoKeyIAMMemberArgs{CryptoKeyId: pulumi.String("projects/redoubt-test/locations/europe-west3/keyRings/r/cryptoKeys/none"), Role: pulumi.String("roles/cloudkms.admin"), Member: node.Member}))
		must(serviceaccount.NewIAMMember(ctx, "acts-as", &serviceaccount.IAMMemberArgs{ServiceAccountId: node.Name, Role: pulumi.String("roles/iam.serviceAccountUser"), Member: pulumi.String("user:a@example.com")}))
		repository := must(artifactregistry.NewRepository(ctx, "images", &artifactregistry.RepositoryArgs{RepositoryId: pulumi.String("images"), Format: pulumi.String("DOCKER")}))
		reader := func(name string, to pulumi.StringInput) {
			must(artifactregistry.NewRepositoryIamMember(ctx, name, &artifactregistry.RepositoryIamMemberArgs{Repository: to, Role: pulumi.String("roles/artifactregistry.reader"), Member: node.Member}))
		}
		reader("reads-by-name", repository.Name)
		reader("reads-nothing", pulumi.String("none"))
		shut := must(storage.NewBucket(ctx, "shut", &storage.BucketArgs{Location: pulumi.String(region), PublicAccessPrevention: str("enforced")}))
		must(storage.NewBucketIAMMember(ctx, "public", &storage.BucketIAMMemberArgs{Bucket: shut.Name, Role: pulumi.String("roles/storage.objectViewer"), Member: pulumi.String("allUsers")}))
		return nil
	}, simtest.Refusals{
		"again": "two resources for one binding", "missing": "Error 400: Service account nobody@redoubt-test.iam.gserviceaccount.com does not exist., badRequest",
		"account-as-user": `The principal should appear as "serviceAccount:`, "email": "is no user", "of-no-domain": "is no domain", "kind": "unknown type", "principal": "is no principalSet",
		"role": "Role roles/logging is not supported for this resource.", "other-role": "is not supported for this resource", "custom": "was not found", "on-key-wrong": "Role roles/storage.admin is not supported for this resource.",
		"pool": "Identity Pool does not exist (redoubt-test.svc.id.goog).", "pool-principal": "Identity Pool does not exist", "agent-too-early": "does not exist", "no-key": "was not found", "reads-nothing": "was not found",
		"public": "public access prevention is enforced",
	})
}

func TestBindingsForEverybodyAreRecorded(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.New(t, cloud, settings).MustUp(func(ctx *pulumi.Context) error {
		member(ctx, "open", "roles/storage.objectViewer", "allUsers")
		member(ctx, "fine", "roles/storage.objectViewer", "user:a@example.com")
		return nil
	})
	if found := gcp.Public(cloud); len(found) != 1 || found[0].State.String("member") != "allUsers" {
		t.Errorf("%v", found)
	}
}

// The pool is there once a cluster with it is, and not before.
func TestWorkloadsHaveIdentitiesAfterTheirCluster(t *testing.T) {
	t.Parallel()
	bind := func(x *made, options ...pulumi.ResourceOption) {
		must(serviceaccount.NewIAMMember(x.ctx, "app", &serviceaccount.IAMMemberArgs{ServiceAccountId: x.node.Name, Role: pulumi.String("roles/iam.workloadIdentityUser"),
			Member: pulumi.String("serviceAccount:" + project + ".svc.id.goog[default/app]")}, options...))
	}
	simtest.New(t, open(t), settings).MustUp(environment{withoutPool: true, late: func(x *made) { bind(x, after(x.cluster)) }}.program)
	_, err := simtest.New(t, open(t), settings).Up(environment{withoutPool: true, late: func(x *made) { bind(x) }}.program)
	says(t, err, "Identity Pool does not exist (redoubt-test.svc.id.goog). Please check that you specified a valid resource name")
}

// A ring's and a key's name are taken for ever, also in the next process.
func TestKeysAreNeverDeleted(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	program := func(ring string) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			r := must(kms.NewKeyRing(ctx, "ring", &kms.KeyRingArgs{Name: str(ring), Location: pulumi.String(region)}))
			must(kms.NewCryptoKey(ctx, "key", &kms.CryptoKeyArgs{Name: str("key"), KeyRing: r.ID()}))
			return nil
		}
	}
	e := simtest.New(t, cloud, settings)
	e.MustUp(program("main"))
	if err := e.Destroy(); err != nil || len(cloud.Objects()) > 0 {
		t.Fatalf("%v %v", err, cloud.Objects())
	}
	_, err := e.Up(program("main"))
	says(t, err, "Error 409: KeyRing projects/redoubt-test/locations/europe-west3/keyRings/main already exists., alreadyExists")
	e.MustUp(program("second"))
}

func TestKeysChangeInPlaceWhereTheyCan(t *testing.T) {
	t.Parallel()
	e := simtest.New(t, open(t), settings)
	program := func(period, purpose, description string) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			args := &kms.CryptoKeyArgs{KeyRing: newRing(ctx, "ring").ID(), Purpose: str(purpose)}
			if period != "" {
				args.RotationPeriod = str(period)
			}
			must(kms.NewCryptoKey(ctx, "key", args))
			must(serviceaccount.NewAccount(ctx, "account", &serviceaccount.AccountArgs{AccountId: pulumi.String("gke-node"), Description: str(description)}))
			return nil
		}
	}
	e.MustUp(program("7776000s", "ENCRYPT_DECRYPT", "a"))
	if result := e.MustUp(program("2592000s", "ENCRYPT_DECRYPT", "b")); result.Updates() != 2 || result.Replaces() != 0 {
		t.Errorf("%v", result.Changes)
	}
	if result, err := e.Preview(program("", "MAC", "b")); err != nil || result.Replaces() != 1 {
		t.Errorf("%v %v", result.Changes, err)
	}
}
