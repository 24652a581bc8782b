package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1 "k8s.io/client-go/applyconfigurations/core/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/components/internal/reencrypt"
)

// trace is what a run found, for people. Nothing reads it again: whoever alters the
// ConfigMap misleads people until the next run and changes nothing else.
type trace struct {
	node    string
	at      time.Time
	writer  reencrypt.Key
	writers []string // a line for each control plane
	agreed  bool     // all write with the same key
	report  reencrypt.Report
	skipped []string // entries that name no resource
}

// shown is how many refused objects the ConfigMap names; the journal has more.
const shown = 10

// run goes through the resources, and rewrites if all control planes agree.
func (t *trace) run(ctx context.Context, rewriter reencrypt.Rewriter, resources []string) (err error) {
	var named []string
	for _, each := range resources {
		if reencrypt.Named(each) {
			named = append(named, each)
		} else {
			t.skipped = append(t.skipped, each)
		}
	}
	var writer *reencrypt.Key
	if t.agreed {
		writer = &t.writer
	}
	t.report, err = rewriter.Run(ctx, named, writer)
	return err
}

// rewritten tells whether everything is under the key with which all write.
func (t *trace) rewritten() bool {
	return t.agreed && t.report.Left(t.writer) == 0 && len(t.skipped) == 0
}

// state is the whole in a sentence.
func (t *trace) state() string {
	switch {
	case !t.agreed:
		return "nothing is rewritten until all control planes write with the same key"
	case t.report.Left(t.writer) > 0:
		return fmt.Sprintf("%d objects are under another key than the one that writes", t.report.Left(t.writer))
	case len(t.skipped) > 0:
		return "what " + strings.Join(t.skipped, ", ") + " stands for is not looked at: name each resource"
	}
	return "everything is under the key that writes"
}

// data is what the ConfigMap holds.
func (t *trace) data() map[string]string {
	var objects, refused []string
	for _, resource := range slices.Sorted(maps.Keys(t.report.Under)) {
		lines := []string{}
		for key, count := range t.report.Under[resource] {
			lines = append(lines, fmt.Sprintf("%s: %d under %s", resource, count, key))
		}
		if len(lines) == 0 {
			lines = []string{resource + ": none"}
		}
		slices.Sort(lines)
		objects = append(objects, lines...)
	}
	for i, each := range t.report.Refused {
		if i == shown {
			break
		}
		refused = append(refused, fmt.Sprintf("%s %s/%s: %s", each.Resource, each.Namespace, each.Name, each.Reason))
	}
	if more := t.report.Refusals - len(refused); more > 0 {
		refused = append(refused, fmt.Sprintf("and %d more", more))
	}
	data := map[string]string{
		"rewritten": strconv.FormatBool(t.rewritten()), "state": t.state(), "writers": strings.Join(t.writers, "\n"),
		"objects": strings.Join(objects, "\n"), "checked": t.at.UTC().Format(time.RFC3339) + " by " + t.node,
	}
	if len(refused) > 0 {
		data["refused"] = strings.Join(refused, "\n")
	}
	return data
}

// publish writes the ConfigMap, over whatever somebody else wrote there.
func (a *Agent) publish(ctx context.Context, config *rest.Config, client *http.Client, t *trace) error {
	core, err := coreclient.NewForConfigAndClient(config, client)
	if err != nil {
		return err
	}
	object := corev1.ConfigMap(encryptionName, metav1.NamespaceSystem).WithData(t.data())
	_, err = core.ConfigMaps(metav1.NamespaceSystem).Apply(ctx, object, metav1.ApplyOptions{FieldManager: "redoubt-node", Force: true})
	if err != nil {
		return fmt.Errorf("telling what is stored under which key: %w", err)
	}
	return nil
}

// judge logs what was done, and gives an error when something is left that this run
// should have rewritten.
func (t *trace) judge(log *slog.Logger) error {
	log.Info(t.state(), "rewritten", t.report.Rewritten, "refused", t.report.Refusals, "writers", t.writers)
	if left := t.report.Left(t.writer); t.agreed && left > 0 {
		return fmt.Errorf("%d objects are under another key than %s, %d were refused: the next run goes on", left, t.writer, t.report.Refusals)
	}
	return nil
}
