package aws

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var (
	ssmDocumentName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,128}$`)
	// sessionInputs are the settings of a session, by whether they are texts or not:
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-schema.html
	sessionInputs = map[string]string{"s3BucketName": "text", "s3KeyPrefix": "text", "s3EncryptionEnabled": "bool", "cloudWatchLogGroupName": "text",
		"cloudWatchEncryptionEnabled": "bool", "cloudWatchStreamingEnabled": "bool", "kmsKeyId": "text", "runAsEnabled": "bool", "runAsDefaultUser": "text",
		"idleSessionTimeout": "text", "maxSessionDuration": "text", "shellProfile": "object"}
)

// documentTypes are documents of Systems Manager: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
func documentTypes() []*simcloud.ResourceType {
	t := kind(ssmDocument, ssm.DocumentArgs{}, ssm.Document{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 128}
	t.Defaults = simcloud.Values{"documentFormat": "JSON"}
	t.Replace = []string{"name", "documentType"}
	t.Check = func(p *simcloud.Plan) {
		name := p.Values.String("name")
		if name != "" && !ssmDocumentName.MatchString(name) {
			p.Add("name", "must contain only alphanumeric, underscore, hyphen, or period characters, 3 to 128 of them: "+name)
		}
		for _, reserved := range []string{"aws", "amazon", "amzn"} {
			if strings.HasPrefix(strings.ToLower(name), reserved) {
				p.Add("name", "ValidationException: a name cannot begin with "+reserved+": "+name)
			}
		}
		oneOf(p, "documentFormat", "JSON", "YAML", "TEXT")
		oneOf(p, "documentType", "Command", "Policy", "Automation", "Session", "Package", "ApplicationConfiguration", "ApplicationConfigurationSchema",
			"DeploymentStrategy", "ChangeCalendar", "Automation.ChangeTemplate", "ProblemAnalysis", "ProblemAnalysisTemplate", "CloudFormation", "ConformancePackTemplate", "QuickSetup")
	}
	judge := func(c *simcloud.Change) error {
		text := c.New.String("content")
		if c.New.String("documentFormat") == "JSON" && !json.Valid([]byte(text)) {
			return errorf("InvalidDocumentContent", "JSON not well-formed.")
		}
		c.Out["schemaVersion"], c.Out["hash"], c.Out["hashType"] = "1.0", hexOf(text), "Sha256"
		if c.New.String("documentType") == "Session" {
			return judgeSessions(c, text)
		}
		return nil
	}
	t.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("name")
		if c.Cloud.Get(c.Scope, ssmDocument, c.ID) != nil {
			return errorf("DocumentAlreadyExists", "Document with same name %s already exists", c.ID)
		}
		c.Out["arn"], c.Out["owner"], c.Out["status"] = arn("ssm", c.Scope, "document/"+c.ID), Account, "Active"
		c.Out["defaultVersion"], c.Out["latestVersion"], c.Out["documentVersion"] = "1", "1", "1"
		c.Out["createdDate"], c.Out["platformTypes"] = c.Cloud.Clock.Now().Format("2006-01-02T15:04:05Z"), []string{"Windows", "Linux", "MacOS"}
		return judge(c)
	}
	t.Update = func(c *simcloud.Change) error {
		next := strconv.Itoa(atoi(c.Old.String("latestVersion")) + 1)
		c.Out["defaultVersion"], c.Out["latestVersion"], c.Out["documentVersion"] = next, next, next
		return judge(c)
	}
	return []*simcloud.ResourceType{t}
}

func atoi(text string) int { n, _ := strconv.Atoi(text); return n }

// judgeSessions judges the settings of sessions. A log group that is not there or not encrypted is refused by the agent,
// when somebody needs a session: here at once.
func judgeSessions(c *simcloud.Change, text string) error {
	var content struct {
		SchemaVersion string         `json:"schemaVersion"`
		SessionType   string         `json:"sessionType"`
		Inputs        map[string]any `json:"inputs"`
	}
	invalid := func(format string, a ...any) error { return errorf("InvalidDocumentContent", format, a...) }
	if err := json.Unmarshal([]byte(text), &content); err != nil {
		return invalid("Document content is not a session: %v", err)
	}
	if content.SchemaVersion != "1.0" {
		return errorf("InvalidDocumentSchemaVersion", "Session documents have schema version 1.0, not %q", content.SchemaVersion)
	}
	if !slices.Contains([]string{"Standard_Stream", "InteractiveCommands", "NonInteractiveCommands", "Port"}, content.SessionType) {
		return invalid("sessionType %q is not supported", content.SessionType)
	}
	for _, name := range slices.Sorted(maps.Keys(content.Inputs)) {
		is := "object"
		switch content.Inputs[name].(type) {
		case string:
			is = "text"
		case bool:
			is = "bool"
		}
		if sessionInputs[name] != is {
			return invalid("inputs.%s: %v is not expected there", name, content.Inputs[name])
		}
	}
	for name, most := range map[string]int{"idleSessionTimeout": 60, "maxSessionDuration": 1440} {
		given, ok := content.Inputs[name].(string)
		if n, err := strconv.Atoi(given); ok && given != "" && (err != nil || n < 1 || n > most) {
			return invalid("inputs.%s: %q is not between 1 and %d minutes", name, given, most)
		}
	}
	if group, _ := content.Inputs["cloudWatchLogGroupName"].(string); group != "" {
		o := c.Cloud.Get(c.Scope, logGroup, group)
		if o == nil {
			return invalid("We couldn't start the session because the log group %s does not exist", group)
		}
		if content.Inputs["cloudWatchEncryptionEnabled"] == true && o.State.String("kmsKeyId") == "" {
			return invalid("We couldn't start the session because encryption is not set up on the selected CloudWatch Logs log group %s", group)
		}
	}
	if given, _ := content.Inputs["kmsKeyId"].(string); given != "" && findKey(c.Cloud, c.Scope, given) == nil {
		return invalid("%s", fmt.Sprintf("the KMS key %s does not exist", given))
	}
	return nil
}
