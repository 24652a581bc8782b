package gcp_test

import (
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/artifactregistry"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/binaryauthorization"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/containeranalysis"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/logging"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/monitoring"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/orgpolicy"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/pubsub"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/secretmanager"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

func serviceAgent(home string) string {
	return "serviceAccount:service-" + gcp.Number(project) + "@" + home + ".iam.gserviceaccount.com"
}

func newBucket(ctx *pulumi.Context, name string, change func(*storage.BucketArgs), options ...pulumi.ResourceOption) *storage.Bucket {
	args := &storage.BucketArgs{Location: pulumi.String(region), Name: str("redoubt-" + name)}
	if change != nil {
		change(args)
	}
	return must(storage.NewBucket(ctx, name, args, options...))
}

func threshold(filter, duration string) monitoring.AlertPolicyConditionArray {
	return monitoring.AlertPolicyConditionArray{&monitoring.AlertPolicyConditionArgs{DisplayName: pulumi.String("x"), ConditionThreshold: &monitoring.AlertPolicyConditionConditionThresholdArgs{
		Filter: str(filter), Duration: pulumi.String(duration), Comparison: pulumi.String("COMPARISON_GT"), ThresholdValue: pulumi.Float64Ptr(0)}}}
}

func alert(ctx *pulumi.Context, name string, conditions monitoring.AlertPolicyConditionArray, change func(*monitoring.AlertPolicyArgs), options ...pulumi.ResourceOption) {
	args := &monitoring.AlertPolicyArgs{DisplayName: pulumi.String(name), Combiner: pulumi.String("OR"), Conditions: conditions}
	if change != nil {
		change(args)
	}
	must(monitoring.NewAlertPolicy(ctx, name, args, options...))
}

func admission(evaluation string, attestors ...pulumi.StringInput) *binaryauthorization.PolicyDefaultAdmissionRuleArgs {
	return &binaryauthorization.PolicyDefaultAdmissionRuleArgs{EvaluationMode: pulumi.String(evaluation), EnforcementMode: pulumi.String("ENFORCED_BLOCK_AND_AUDIT_LOG"), RequireAttestationsBies: pulumi.StringArray(attestors)}
}

func TestPlansOfServicesAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Unplanned(t, open(t), settings, func(ctx *pulumi.Context) error {
		named := func(name, bucket string) {
			newBucket(ctx, name, func(a *storage.BucketArgs) { a.Name = str(bucket) })
		}
		named("bucket", "audit-archive_1")
		named("bucket-upper", "Audit")
		named("bucket-short", "ab")
		named("bucket-google", "my-google-logs")
		newBucket(ctx, "bucket-prevention", func(a *storage.BucketArgs) { a.PublicAccessPrevention = str("on") })
		newBucket(ctx, "bucket-soft", func(a *storage.BucketArgs) {
			a.SoftDeletePolicy = &storage.BucketSoftDeletePolicyArgs{RetentionDurationSeconds: pulumi.IntPtr(3600)}
		})
		newBucket(ctx, "bucket-hard", func(a *storage.BucketArgs) {
			a.SoftDeletePolicy = &storage.BucketSoftDeletePolicyArgs{RetentionDurationSeconds: pulumi.IntPtr(0)}
		})
		newBucket(ctx, "bucket-retention", func(a *storage.BucketArgs) {
			a.RetentionPolicy = &storage.BucketRetentionPolicyArgs{RetentionPeriod: pulumi.Int(0)}
		})
		metric := func(name, filter string) {
			must(logging.NewMetric(ctx, name, &logging.MetricArgs{Filter: pulumi.String(filter)}))
		}
		metric("metric", `protoPayload.methodName=("a" OR "b)")`)
		metric("metric-filter", `protoPayload.methodName=("a"`)
		metric("metric-quotes", `protoPayload.methodName="a`)
		must(logging.NewProjectBucketConfig(ctx, "log-days", &logging.ProjectBucketConfigArgs{Project: pulumi.String(project), Location: pulumi.String(region), BucketId: pulumi.String("audit"), RetentionDays: pulumi.IntPtr(4000)}))
		alert(ctx, "alert-none", monitoring.AlertPolicyConditionArray{&monitoring.AlertPolicyConditionArgs{DisplayName: pulumi.String("x")}}, nil)
		alert(ctx, "alert-combiner", threshold("x", "0s"), func(a *monitoring.AlertPolicyArgs) { a.Combiner = pulumi.String("ANY") })
		must(monitoring.NewNotificationChannel(ctx, "mail", &monitoring.NotificationChannelArgs{Type: pulumi.String("email"), Labels: pulumi.StringMap{"email_address": pulumi.String("a@example.com")}}))
		must(monitoring.NewNotificationChannel(ctx, "mail-nowhere", &monitoring.NotificationChannelArgs{Type: pulumi.String("email")}))
		must(monitoring.NewNotificationChannel(ctx, "pigeon", &monitoring.NotificationChannelArgs{Type: pulumi.String("pigeon")}))
		repository := func(name, id, format string) {
			must(artifactregistry.NewRepository(ctx, name, &artifactregistry.RepositoryArgs{RepositoryId: pulumi.String(id), Format: pulumi.String(format)}))
		}
		repository("repository", "images", "DOCKER")
		repository("repository-name", "Images", "DOCKER")
		repository("repository-format", "images", "OCI")
		must(binaryauthorization.NewPolicy(ctx, "binary", &binaryauthorization.PolicyArgs{DefaultAdmissionRule: admission("DENY")}))
		constraint := func(name, parent, policy string, rule *orgpolicy.PolicySpecRuleArgs) {
			must(orgpolicy.NewPolicy(ctx, name, &orgpolicy.PolicyArgs{Parent: pulumi.String(parent), Name: str(policy), Spec: &orgpolicy.PolicySpecArgs{Rules: orgpolicy.PolicySpecRuleArray{rule}}}))
		}
		enforce := func(text string) *orgpolicy.PolicySpecRuleArgs {
			return &orgpolicy.PolicySpecRuleArgs{Enforce: str(text)}
		}
		constraint("constraint", "projects/redoubt-test", "projects/redoubt-test/policies/compute.requireOsLogin", enforce("TRUE"))
		constraint("constraint-name", "projects/redoubt-test", "compute.requireOsLogin", enforce("TRUE"))
		constraint("constraint-parent", "projects/redoubt-test", "folders/1/policies/compute.requireOsLogin", enforce("TRUE"))
		constraint("constraint-value", "projects/redoubt-test", "projects/redoubt-test/policies/compute.requireOsLogin", enforce("yes"))
		constraint("constraint-rule", "projects/redoubt-test", "projects/redoubt-test/policies/compute.vmExternalIpAccess", &orgpolicy.PolicySpecRuleArgs{DenyAll: str("TRUE"), AllowAll: str("TRUE")})
		must(pubsub.NewTopic(ctx, "topic-name", &pubsub.TopicArgs{Name: str("google-events")}))
		must(secretmanager.NewSecret(ctx, "secret", &secretmanager.SecretArgs{SecretId: pulumi.String("x"), Replication: &secretmanager.SecretReplicationArgs{}}))
		return nil
	}, simtest.Refusals{
		"bucket-upper": "is not a bucket name", "bucket-short": "is not a bucket name", "bucket-google": "is not a bucket name", "bucket-prevention": "enforced", "bucket-soft": "7 to 90 days", "bucket-retention": "range (1",
		"metric-filter": "brackets do not match", "metric-quotes": "quotes", "log-days": "(1 - 3650)", "alert-none": "exactly one of", "alert-combiner": "AND_WITH_MATCHING_RESOURCE",
		"mail-nowhere": "email_address", "pigeon": "is not a type of notification channel", "repository-name": "lower-case", "repository-format": "DOCKER", "binary": "ALWAYS_DENY",
		"constraint-name": "PARENT/policies/CONSTRAINT", "constraint-parent": "must begin with its parent", "constraint-value": "TRUE", "constraint-rule": "exactly one of", "topic-name": "is not the name of a topic", "secret": "exactly one of",
	})
}

func TestServicesAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Refused(t, open(t), settings, func(ctx *pulumi.Context) error {
		ring := newRing(ctx, "ring")
		bare, own := newKey(ctx, "bare", ring), newKey(ctx, "own", ring)
		var held []pulumi.Resource
		for _, name := range []string{"artifactregistry", "secretmanager"} {
			held = append(held, must(projects.NewServiceIdentity(ctx, name, &projects.ServiceIdentityArgs{Service: pulumi.String(name + ".googleapis.com")})))
		}
		for _, home := range []string{"gs-project-accounts", "gcp-sa-artifactregistry", "gcp-sa-pubsub", "gcp-sa-logging"} {
			g := must(newGrant(ctx, home, own, serviceAgent(home), held...))
			held = append(held, g)
		}
		granted := pulumi.DependsOn(held)

		encrypted := func(name string, in string, key pulumi.StringInput) {
			newBucket(ctx, name, func(a *storage.BucketArgs) {
				a.Location, a.Encryption = pulumi.String(in), &storage.BucketEncryptionArgs{DefaultKmsKeyName: key}
			}, granted)
		}
		encrypted("bucket", region, own.ID())
		encrypted("bucket-denied", region, bare.ID())
		encrypted("bucket-afar", "EU", own.ID())
		newBucket(ctx, "bucket-place", func(a *storage.BucketArgs) { a.Location = pulumi.String("mars") })
		newBucket(ctx, "bucket-domain", func(a *storage.BucketArgs) { a.Name = str("logs.example.com") })
		newBucket(ctx, "bucket-again", func(a *storage.BucketArgs) { a.Name = str("redoubt-archive") }, after(newBucket(ctx, "archive", nil)))
		newBucket(ctx, "bucket-logs", func(a *storage.BucketArgs) { a.Logging = &storage.BucketLoggingArgs{LogBucket: pulumi.String("none")} })

		topics := func(name string, key pulumi.StringPtrInput) *pubsub.Topic {
			return must(pubsub.NewTopic(ctx, name, &pubsub.TopicArgs{KmsKeyName: key}, granted))
		}
		topic := topics("topic", own.ID().ToStringOutput().ToStringPtrOutput())
		topics("topic-denied", bare.ID().ToStringOutput().ToStringPtrOutput())

		images := func(name string, change func(*artifactregistry.RepositoryArgs)) {
			args := &artifactregistry.RepositoryArgs{RepositoryId: pulumi.String(name), Format: pulumi.String("DOCKER"), DockerConfig: &artifactregistry.RepositoryDockerConfigArgs{ImmutableTags: yes()}}
			change(args)
			must(artifactregistry.NewRepository(ctx, name, args, granted))
		}
		remote := &artifactregistry.RepositoryRemoteRepositoryConfigArgs{DockerRepository: &artifactregistry.RepositoryRemoteRepositoryConfigDockerRepositoryArgs{PublicRepository: str("DOCKER_HUB")}}
		images("images", func(a *artifactregistry.RepositoryArgs) { a.KmsKeyName = own.ID().ToStringOutput().ToStringPtrOutput() })
		images("images-denied", func(a *artifactregistry.RepositoryArgs) {
			a.KmsKeyName = bare.ID().ToStringOutput().ToStringPtrOutput()
		})
		images("images-npm", func(a *artifactregistry.RepositoryArgs) { a.Format = pulumi.String("NPM") })
		images("images-mode", func(a *artifactregistry.RepositoryArgs) { a.RemoteRepositoryConfig = remote })
		images("images-remote", func(a *artifactregistry.RepositoryArgs) {
			a.Mode, a.RemoteRepositoryConfig, a.DockerConfig = str("REMOTE_REPOSITORY"), remote, nil
		})
		images("images-place", func(a *artifactregistry.RepositoryArgs) { a.Location = str("mars") })

		logs := func(name, location string, key pulumi.StringInput) *logging.ProjectBucketConfig {
			args := &logging.ProjectBucketConfigArgs{Project: pulumi.String(project), Location: pulumi.String(location), BucketId: pulumi.String(name), RetentionDays: pulumi.IntPtr(365)}
			if key != nil {
				args.CmekSettings = &logging.ProjectBucketConfigCmekSettingsArgs{KmsKeyName: key}
			}
			return must(logging.NewProjectBucketConfig(ctx, name, args, granted))
		}
		audit := logs("audit", region, own.ID())
		logs("logs-denied", region, bare.ID())
		logs("logs-global", "global", own.ID())
		sink := func(name string, to pulumi.StringInput) {
			must(logging.NewProjectSink(ctx, name, &logging.ProjectSinkArgs{Destination: to, Filter: str(`logName:"cloudaudit.googleapis.com"`)}))
		}
		sink("sink", pulumi.Sprintf("logging.googleapis.com/%s", audit.ID()))
		sink("sink-topic", pulumi.Sprintf("pubsub.googleapis.com/%s", topic.ID()))
		sink("sink-default", pulumi.String("logging.googleapis.com/projects/redoubt-test/locations/global/buckets/_Default"))
		sink("sink-nowhere", pulumi.String("storage.googleapis.com/none"))
		sink("sink-form", pulumi.String("gs://audit"))

		counted := must(logging.NewMetric(ctx, "denied", &logging.MetricArgs{Name: str("denied"), Filter: pulumi.String("severity>=ERROR"), MetricDescriptor: &logging.MetricMetricDescriptorArgs{
			MetricKind: pulumi.String("DELTA"), ValueType: pulumi.String("INT64")}}))
		must(logging.NewMetric(ctx, "metric-label", &logging.MetricArgs{Filter: pulumi.String("severity>=ERROR"), LabelExtractors: pulumi.StringMap{"user": pulumi.String("EXTRACT(x)")}}))
		filter := `resource.type="k8s_cluster" AND metric.type="logging.googleapis.com/user/`
		mail := must(monitoring.NewNotificationChannel(ctx, "mail", &monitoring.NotificationChannelArgs{Type: pulumi.String("email"), Labels: pulumi.StringMap{"email_address": pulumi.String("a@example.com")}}))
		alert(ctx, "alert", threshold(filter+`denied"`, "60s"), func(a *monitoring.AlertPolicyArgs) { a.NotificationChannels = pulumi.StringArray{mail.Name} }, after(counted))
		alert(ctx, "alert-metric", threshold(filter+`other"`, "60s"), nil, after(counted))
		alert(ctx, "alert-duration", threshold(filter+`denied"`, "90s"), nil, after(counted))
		alert(ctx, "alert-filter", threshold(`severity>=ERROR`, "60s"), nil)
		alert(ctx, "alert-resource", threshold(`metric.type="logging.googleapis.com/user/denied"`, "60s"), nil, after(counted))
		alert(ctx, "alert-nobody", threshold(filter+`denied"`, "60s"), func(a *monitoring.AlertPolicyArgs) {
			a.NotificationChannels = texts("projects/redoubt-test/notificationChannels/1")
		}, after(counted))
		matched := monitoring.AlertPolicyConditionArray{&monitoring.AlertPolicyConditionArgs{DisplayName: pulumi.String("x"), ConditionMatchedLog: &monitoring.AlertPolicyConditionConditionMatchedLogArgs{Filter: pulumi.String("severity>=ERROR")}}}
		alert(ctx, "alert-log", matched, func(a *monitoring.AlertPolicyArgs) {
			a.AlertStrategy = &monitoring.AlertPolicyAlertStrategyArgs{NotificationRateLimit: &monitoring.AlertPolicyAlertStrategyNotificationRateLimitArgs{Period: str("300s")}}
		})
		alert(ctx, "alert-rate", matched, nil)

		authority := must(containeranalysis.NewNote(ctx, "built", &containeranalysis.NoteArgs{Name: str("built"), AttestationAuthority: &containeranalysis.NoteAttestationAuthorityArgs{
			Hint: &containeranalysis.NoteAttestationAuthorityHintArgs{HumanReadableName: pulumi.String("built")}}}))
		attest := func(name string, note pulumi.StringInput) *binaryauthorization.Attestor {
			return must(binaryauthorization.NewAttestor(ctx, name, &binaryauthorization.AttestorArgs{Name: str(name), AttestationAuthorityNote: &binaryauthorization.AttestorAttestationAuthorityNoteArgs{NoteReference: note}}))
		}
		by := attest("built-here", authority.Name)
		attest("attestor-note", pulumi.String("none"))
		policy := func(name, in string, rule *binaryauthorization.PolicyDefaultAdmissionRuleArgs) {
			must(binaryauthorization.NewPolicy(ctx, name, &binaryauthorization.PolicyArgs{Project: str(in), DefaultAdmissionRule: rule}))
		}
		policy("binary", project, admission("REQUIRE_ATTESTATION", by.ID()))
		policy("binary-nobody", "project-one", admission("REQUIRE_ATTESTATION"))
		policy("binary-deny", "project-two", admission("ALWAYS_DENY", by.ID()))
		policy("binary-attestor", "project-three", admission("REQUIRE_ATTESTATION", pulumi.String("none")))
		return nil
	}, simtest.Refusals{
		"bucket-denied": "Error 403: Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key., forbidden", "bucket-afar": "it must be in europe, where the data is",
		"bucket-place": "location constraint is not valid", "bucket-domain": "verify domain ownership", "bucket-again": "already exists", "bucket-logs": "does not exist", "topic-denied": "useToEncrypt' denied",
		"images-denied": "useToEncrypt' denied", "images-npm": "format DOCKER only", "images-mode": "A remote repository has a remote_repository_config", "images-place": "is not found",
		"logs-denied": "useToEncrypt' denied", "logs-global": "CMEK is not supported", "sink-nowhere": "destination bucket none does not exist", "sink-form": "is invalid", "metric-label": "has no label of that key",
		"alert-metric": `Cannot find metric that matches type = "logging.googleapis.com/user/other".`, "alert-duration": "multiple of 60 seconds", "alert-filter": `restriction on "metric.type"`, "alert-resource": `restriction on "resource.type"`,
		"alert-nobody": "was not found", "alert-rate": "notification_rate_limit", "attestor-note": "was not found", "binary-nobody": "names attestors with REQUIRE_ATTESTATION", "binary-deny": "and only then", "binary-attestor": "was not found",
	})
}

// A locked retention is kept: it can grow, never shrink or go, and what it holds stays until its time.
func TestArchivesAreKept(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	e := simtest.New(t, cloud, settings)
	program := func(days int, locked, forced bool) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			newBucket(ctx, "archive", func(a *storage.BucketArgs) {
				a.RetentionPolicy = &storage.BucketRetentionPolicyArgs{RetentionPeriod: pulumi.Int(days * 86400), IsLocked: pulumi.BoolPtr(locked)}
				a.ForceDestroy = pulumi.BoolPtr(forced)
			})
			must(logging.NewProjectBucketConfig(ctx, "logs", &logging.ProjectBucketConfigArgs{Project: pulumi.String(project), Location: pulumi.String(region), BucketId: pulumi.String("audit"),
				RetentionDays: pulumi.IntPtr(days), Locked: pulumi.BoolPtr(locked)}))
			return nil
		}
	}
	e.MustUp(program(365, false, false))
	e.MustUp(program(400, false, false))
	e.MustUp(program(400, true, false))
	e.Continue = true
	_, err := e.Up(program(365, true, false))
	says(t, err, "Error 403: Cannot reduce retention duration of a locked Retention Policy for bucket 'redoubt-archive'.", "is locked: its retention and its lock cannot be changed")
	if result, err := e.Preview(program(400, false, false)); err != nil || result.Replaces() != 1 {
		t.Errorf("an unlocked archive is another one: %v %v", result.Changes, err)
	}
	entry := simtest.New(t, cloud, settings) // what a sink writes
	entry.MustUp(func(ctx *pulumi.Context) error {
		must(storage.NewBucketObject(ctx, "entry", &storage.BucketObjectArgs{Bucket: pulumi.String("redoubt-archive"), Name: str("entry"), Content: str("{}")}))
		return nil
	})
	says(t, e.Destroy(), "Error trying to delete bucket redoubt-archive containing objects without `force_destroy` set to true")
	says(t, entry.Destroy(), "Object 'redoubt-archive/entry' is subject to bucket's retention policy", "have not met the retention period yet")
	e.MustUp(program(400, true, true))
	says(t, e.Destroy(), "have not met the retention period yet")
	cloud.Clock.Advance(401 * 24 * 60 * 60 * 1e9)
	if err := entry.Destroy(); err != nil {
		t.Error(err)
	}
	if err := e.Destroy(); err != nil || len(cloud.Objects()) > 0 {
		t.Errorf("%v; left: %v", err, cloud.Objects())
	}
}
