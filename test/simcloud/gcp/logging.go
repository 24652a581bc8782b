package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/logging"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var (
	logName      = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,99}$`)
	metricName   = regexp.MustCompile(`^[a-zA-Z0-9_.,+!*'()%/-]{1,100}$`)
	destinations = regexp.MustCompile(`^(storage\.googleapis\.com/[^/]+|pubsub\.googleapis\.com/projects/[^/]+/topics/[^/]+|bigquery\.googleapis\.com/projects/[^/]+/datasets/[^/]+|logging\.googleapis\.com/projects/[^/]+(/locations/[^/]+/buckets/[^/]+)?)$`)
)

// loggingTypes are where logs go and what is counted in them: https://cloud.google.com/logging/docs/export/configure_export_v2
func loggingTypes() []*simcloud.ResourceType {
	s := named(kind(sink, "projects/{project}/sinks/{name}", logging.ProjectSinkArgs{}, logging.ProjectSink{}), 100)
	s.Defaults = simcloud.Values{"uniqueWriterIdentity": true, "disabled": false}
	s.Replace = append(s.Replace, "uniqueWriterIdentity")
	s.Check = func(p *simcloud.Plan) {
		matching(p, "name", logName, "only letters, digits, underscores, hyphens and dots, at most 100")
		filterAt(p, "filter")
		for i := range p.Values.List("exclusions") {
			filterAt(p, fmt.Sprintf("exclusions[%d].filter", i))
		}
	}
	judged(s, judgeSink, judgeSink)

	m := named(kind(metric, "{name}", logging.MetricArgs{}, logging.Metric{}), 100)
	m.Check = func(p *simcloud.Plan) {
		matching(p, "name", metricName, "is not the name of a metric")
		if p.Values.Known("filter") && strings.TrimSpace(p.Values.String("filter")) == "" {
			p.Add("filter", "a metric needs a filter")
		}
		filterAt(p, "filter")
		p.OneOf("metricDescriptor.metricKind", "DELTA", "GAUGE", "CUMULATIVE")
		p.OneOf("metricDescriptor.valueType", "BOOL", "INT64", "DOUBLE", "STRING", "DISTRIBUTION", "MONEY")
	}
	counted := func(c *simcloud.Change) error {
		var known []string
		for _, each := range c.New.List("metricDescriptor.labels") {
			known = append(known, each.String("key"))
		}
		for name, text := range c.New.Texts("labelExtractors") {
			if !slices.Contains(known, name) {
				return badRequest("Label extractor \"%s\" has no label of that key in metric_descriptor.", name)
			}
			if !strings.HasPrefix(text, "EXTRACT(") && !strings.HasPrefix(text, "REGEXP_EXTRACT(") {
				return badRequest("Label extractor \"%s\" must be EXTRACT(field) or REGEXP_EXTRACT(field, regex).", name)
			}
		}
		if (c.New.String("metricDescriptor.valueType") == "DISTRIBUTION") != c.New.Has("valueExtractor") {
			return badRequest("A value extractor belongs to a metric of value type DISTRIBUTION, and to no other.")
		}
		return nil
	}
	judged(m, counted, counted)

	b := kind(logBucket, "projects/{project}/locations/{location}/buckets/{bucketId}", logging.ProjectBucketConfigArgs{}, logging.ProjectBucketConfig{})
	b.Defaults = simcloud.Values{"retentionDays": 30, "locked": false}
	b.Check = func(p *simcloud.Plan) {
		matching(p, "bucketId", logName, "only letters, digits, underscores, hyphens and dots, at most 100")
		p.Between("retentionDays", 1, 3650)
	}
	judged(b, func(c *simcloud.Change) error {
		at := c.New.String("location")
		if at != "global" && multi[strings.ToUpper(at)] == "" && regions[at] == "" {
			return badRequest("Location %s is not supported for log buckets", at)
		}
		c.Out["name"], c.Out["lifecycleState"] = c.ID, "ACTIVE"
		return judgeLogBucket(c)
	}, func(c *simcloud.Change) error {
		if c.Old.Bool("locked") && (!c.New.Bool("locked") || c.New.Int("retentionDays") != c.Old.Int("retentionDays")) {
			return coded(400, "failedPrecondition", "The bucket %s is locked: its retention and its lock cannot be changed.", c.ID)
		}
		return judgeLogBucket(c)
	})
	return []*simcloud.ResourceType{s, m, b}
}

// filterAt judges the form of a filter as far as quotes and brackets show it.
// https://cloud.google.com/logging/docs/view/logging-query-language
func filterAt(p *simcloud.Plan, path string) {
	text := p.Values.String(path)
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		}
		if depth < 0 {
			break
		}
	}
	switch {
	case quoted || depth != 0:
		p.Add(path, "Unparseable filter: quotes or brackets do not match")
	case len(text) > 20000:
		p.Add(path, "filters have at most 20000 characters")
	}
}

// judgeSink judges where a sink writes, and says who writes: a destination in a log bucket of the same project needs no
// writer. https://cloud.google.com/logging/docs/export/configure_export_v2#dest-auth
func judgeSink(c *simcloud.Change) error {
	to := c.New.String("destination")
	if !destinations.MatchString(to) {
		return badRequest("The destination \"%s\" is invalid: it begins with storage.googleapis.com/, pubsub.googleapis.com/, bigquery.googleapis.com/ or logging.googleapis.com/.", to)
	}
	api, rest, _ := strings.Cut(to, "/")
	project := part(c.ID, "projects")
	writer := "serviceAccount:" + agent(c.Cloud, project, "logging")
	switch api {
	case "storage.googleapis.com":
		if c.Cloud.Get("", bucket, rest) == nil {
			return coded(404, "notFound", "The destination bucket %s does not exist.", rest)
		}
	case "pubsub.googleapis.com":
		if c.Cloud.Get("", topic, rest) == nil {
			return coded(404, "notFound", "The destination topic %s does not exist.", rest)
		}
	case "logging.googleapis.com":
		if strings.Contains(rest, "/buckets/") && c.Cloud.Get("", logBucket, rest) == nil && !strings.HasPrefix(lastPart(rest), "_") {
			return coded(404, "notFound", "The destination bucket %s does not exist.", rest)
		}
		if part(rest, "projects") == project {
			writer = ""
		}
	}
	if name := c.New.String("name"); name == "_Required" {
		return badRequest("The sink _Required cannot be changed.")
	}
	c.Out["writerIdentity"] = writer
	return nil
}

func judgeLogBucket(c *simcloud.Change) error {
	if name := c.New.String("bucketId"); name == "_Required" && c.New.Int("retentionDays") != 400 {
		return badRequest("The bucket _Required keeps its entries for 400 days, which cannot be changed.")
	}
	if given := c.New.String("cmekSettings.kmsKeyName"); given != "" {
		where := c.New.String("location")
		if where == "global" {
			return badRequest("CMEK is not supported by log buckets in the location global.")
		}
		if kms := multi[strings.ToUpper(where)]; kms != "" {
			where = kms
		}
		return keyFor(c, given, agent(c.Cloud, part(c.ID, "projects"), "logging"), where)
	}
	return nil
}
