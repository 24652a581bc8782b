package gcp

import (
	"slices"
	"strings"

	"github.com/google/cel-go/cel"

	"github.com/redoubt-dev/redoubt/test/fakecloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Permissions on objects, as IAM names them. https://cloud.google.com/storage/docs/access-control/iam-permissions
const (
	ReadObject   = "storage.objects.get"
	ListObjects  = "storage.objects.list"
	CreateObject = "storage.objects.create"
	DeleteObject = "storage.objects.delete"
)

// storageRoles are what the roles of Cloud Storage permit of that. To overwrite is to delete and to create.
// https://cloud.google.com/storage/docs/access-control/iam-roles
var storageRoles = map[string][]string{
	"roles/storage.objectViewer":  {ReadObject, ListObjects},
	"roles/storage.objectCreator": {CreateObject},
	"roles/storage.objectUser":    {ReadObject, ListObjects, CreateObject, DeleteObject},
	"roles/storage.objectAdmin":   {ReadObject, ListObjects, CreateObject, DeleteObject},
	"roles/storage.admin":         {ReadObject, ListObjects, CreateObject, DeleteObject},
}

// conditionLanguage is that of conditions of IAM, in the Common Expression Language: of a condition on a resource only these attributes
// are known. https://cloud.google.com/iam/docs/conditions-attribute-reference
var conditionLanguage = func() *cel.Env {
	env, err := cel.NewEnv(cel.Variable("resource", cel.MapType(cel.StringType, cel.StringType)), cel.Variable("request", cel.MapType(cel.StringType, cel.TimestampType)), fakecloud.ConditionFunctions())
	if err != nil {
		panic(err) // the declarations above
	}
	return env
}()

// mostOperators is how many && and || an expression has at most: https://cloud.google.com/iam/quotas
const mostOperators = 12

// compile reads an expression as IAM does before it stores it.
func compile(expression string) (cel.Program, error) {
	checked, found := conditionLanguage.Compile(expression)
	if err := found.Err(); err != nil {
		return nil, badRequest("LINT_VALIDATION_UNITS/ExpressionCompileCheck Error: %v", err)
	}
	if checked.OutputType() != cel.BoolType {
		return nil, badRequest("LINT_VALIDATION_UNITS/ExpressionCompileCheck Error: the expression is no condition: it gives a %s", checked.OutputType())
	}
	if n := strings.Count(expression, "&&") + strings.Count(expression, "||"); n > mostOperators {
		return nil, badRequest("The condition has %d logical operators, at most %d are allowed.", n, mostOperators)
	}
	return conditionLanguage.Program(checked)
}

// judgeCondition judges the condition of a binding. https://cloud.google.com/storage/docs/access-control/iam#conditions
func judgeCondition(c *simcloud.Change, t *simcloud.ResourceType) error {
	expression := c.New.String("condition.expression")
	if expression == "" || t.Token == tunnelMember { // which has attributes of its own
		return nil
	}
	if t.Token == bucketMember {
		if o := c.Cloud.Get("", bucket, c.New.String("bucket")); o != nil && !o.State.Bool("uniformBucketLevelAccess") {
			return coded(412, "conditionNotMet", "Conditional role bindings are not allowed on the bucket %s: uniform bucket-level access is not enabled.", o.ID)
		}
		if public(c.New.String("member")) {
			return badRequest("Conditions are not allowed for %s.", c.New.String("member"))
		}
	}
	_, err := compile(expression)
	return err
}

// Permitted tells whether a service account has a permission on an object, by the bindings of its bucket and project.
func Permitted(cloud *simcloud.Cloud, account, permission, inBucket, object string) (yes bool) {
	cloud.Look(func() { yes = permitted(cloud, account, permission, inBucket, object) })
	return yes
}

func permitted(cloud *simcloud.Cloud, account, permission, inBucket, object string) bool {
	holder := cloud.Get("", bucket, inBucket)
	if holder == nil {
		return false
	}
	resource := map[string]string{"service": "storage.googleapis.com", "type": "storage.googleapis.com/Object", "name": "projects/_/buckets/" + inBucket + "/objects/" + object}
	if permission == ListObjects { // lists are asked of the bucket
		resource["type"], resource["name"] = "storage.googleapis.com/Bucket", "projects/_/buckets/"+inBucket
	}
	now := map[string]any{"time": cloud.Clock.Now()}
	holds := func(o *simcloud.Object) bool {
		if o.State.String("member") != "serviceAccount:"+account || !cloud.Visible(o) || !slices.Contains(permissionsOf(cloud, o.State.String("role")), permission) {
			return false
		}
		expression := o.State.String("condition.expression")
		if expression == "" {
			return true
		}
		program, err := compile(expression)
		if err != nil {
			return false
		}
		result, _, err := program.Eval(map[string]any{"resource": resource, "request": now})
		return err == nil && result.Value() == true
	}
	onBucket := cloud.Find("", bucketMember, func(o *simcloud.Object) bool { return o.State.String("bucket") == inBucket && holds(o) })
	onProject := cloud.Find("", projectMember, func(o *simcloud.Object) bool {
		return strings.TrimPrefix(o.State.String("project"), "projects/") == holder.State.String("project") && holds(o)
	})
	return len(onBucket)+len(onProject) > 0
}

// permissionsOf are those of a role of Cloud Storage or of the project's own.
func permissionsOf(cloud *simcloud.Cloud, role string) []string {
	if custom := cloud.Get("", customRole, role); custom != nil {
		return custom.State.Strings("permissions")
	}
	return storageRoles[role]
}
