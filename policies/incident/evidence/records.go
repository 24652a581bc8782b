package evidence

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/policies/incident"
)

// logs reads what the containers wrote, also those that ended before.
func (c *collector) logs(ctx context.Context) {
	for _, key := range slices.Sorted(maps.Keys(c.pods)) {
		pod := c.pods[key]
		var statuses []corev1.ContainerStatus
		statuses = append(append(append(statuses, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...), pod.Status.EphemeralContainerStatuses...)
		for _, status := range statuses {
			name := "logs/" + key + "/" + status.Name
			if status.State.Waiting == nil || status.RestartCount > 0 {
				c.log(ctx, pod, name+".log", corev1.PodLogOptions{Container: status.Name})
			}
			if status.RestartCount > 0 {
				c.log(ctx, pod, name+".previous.log", corev1.PodLogOptions{Container: status.Name, Previous: true})
			}
		}
	}
}

func (c *collector) log(ctx context.Context, pod *corev1.Pod, name string, options corev1.PodLogOptions) {
	options.Timestamps, options.LimitBytes = true, &c.LogBytes
	stream, err := c.client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &options).Stream(ctx)
	if err != nil {
		c.miss(name, err)
		return
	}
	defer stream.Close()
	text, err := io.ReadAll(stream)
	if err != nil {
		c.miss(name, err)
	}
	c.add(name, text)
}

// events are those about the target and its pods, in the order of their times.
func (c *collector) events(ctx context.Context) {
	namespace := c.Target.Namespace
	switch c.Target.Kind {
	case incident.Namespace:
		namespace = c.Target.Name
	case incident.Node:
		namespace = metav1.NamespaceAll
	}
	list, err := c.client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		c.miss("events", err)
		return
	}
	kept := []corev1.Event{}
	for _, event := range list.Items {
		about := event.InvolvedObject
		pod := about.Kind == "Pod" && c.pods[about.Namespace+"/"+about.Name] != nil
		if c.Target.Kind == incident.Namespace || pod || about.Kind == "Node" && c.nodes[about.Name] {
			event.ManagedFields = nil
			kept = append(kept, event)
		}
	}
	slices.SortStableFunc(kept, func(a, b corev1.Event) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	text, err := yaml.Marshal(kept)
	if err != nil {
		c.miss("events", err)
		return
	}
	c.add("events.yaml", text)
}

// auditEvent is what decides whether a line of the audit log is of interest; the
// line is kept (audit.k8s.io/v1).
type auditEvent struct {
	User      auditUser  `json:"user"`
	Acting    *auditUser `json:"impersonatedUser"`
	SourceIPs []string   `json:"sourceIPs"`
	Object    struct {
		Resource, Namespace, Name string
	} `json:"objectRef"`
}

type auditUser struct {
	Username string              `json:"username"`
	Extra    map[string][]string `json:"extra"`
}

// auditLines keeps the lines that are about the target, or by an identity of it.
func (c *collector) auditLines() {
	if len(c.AuditLogs) == 0 {
		c.miss("the audit log", errors.New("no file was given: search the archive of the environment for the target's names"))
		return
	}
	var kept bytes.Buffer
	for _, path := range c.AuditLogs {
		if err := c.auditFile(path, &kept); err != nil {
			c.miss("the audit log "+filepath.Base(path), err)
		}
	}
	c.add("audit.jsonl", kept.Bytes())
}

func (c *collector) auditFile(path string, kept *bytes.Buffer) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for reader := bufio.NewReaderSize(file, 1<<20); ; {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a line without an end is still being written
		}
		if err != nil {
			return err
		}
		var event auditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			return fmt.Errorf("a line is no event: %w", err)
		}
		if c.concerns(event) {
			clean, count, err := redactLine(line)
			if err != nil {
				return err
			}
			c.about.Removed["audit.jsonl"] += count
			kept.Write(clean)
		}
	}
}

// redactLine is a line without values of what is named like a credential: requests
// are kept with the objects that they wrote.
func redactLine(line []byte) ([]byte, int, error) {
	var event map[string]any
	if err := json.Unmarshal(line, &event); err != nil {
		return nil, 0, err
	}
	count := redactValue(event)
	if count == 0 {
		return line, 0, nil // as it was written
	}
	clean, err := json.Marshal(event)
	return append(clean, '\n'), count, err
}

func (c *collector) concerns(e auditEvent) bool {
	switch {
	case c.Target.Kind == incident.Namespace && (e.Object.Namespace == c.Target.Name || e.Object.Resource == "namespaces" && e.Object.Name == c.Target.Name),
		e.Object.Resource == "nodes" && c.Target.Kind == incident.Node && e.Object.Name == c.Target.Name,
		e.Object.Resource == "pods" && c.pods[e.Object.Namespace+"/"+e.Object.Name] != nil:
		return true
	}
	users := []auditUser{e.User}
	if e.Acting != nil {
		users = append(users, *e.Acting)
	}
	for _, user := range users {
		if c.Target.Kind == incident.Node && user.Username == "system:node:"+c.Target.Name ||
			c.Target.Kind == incident.Namespace && strings.HasPrefix(user.Username, "system:serviceaccount:"+c.Target.Name+":") {
			return true
		}
		// A token that is bound to a pod says which.
		for _, pod := range user.Extra["authentication.kubernetes.io/pod-name"] {
			namespace, _, _ := strings.Cut(strings.TrimPrefix(user.Username, "system:serviceaccount:"), ":")
			if c.pods[namespace+"/"+pod] != nil {
				return true
			}
		}
	}
	for _, pod := range c.pods {
		if pod.Status.PodIP != "" && !pod.Spec.HostNetwork && slices.Contains(e.SourceIPs, pod.Status.PodIP) {
			return true
		}
	}
	return false
}

// nodeState puts in the files that tell the state of the target's nodes.
func (c *collector) nodeState() {
	for _, node := range slices.Sorted(maps.Keys(c.nodes)) {
		root := filepath.Join(c.NodeState, node)
		if _, err := os.Stat(root); c.NodeState == "" || err != nil {
			c.miss("the state of node "+node, errors.New("it was not given: see the runbook of a node"))
			continue
		}
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			content, err := tail(path, c.LogBytes)
			if err != nil {
				return err
			}
			c.add("nodes/"+node+"/"+filepath.ToSlash(name), content)
			return nil
		})
		if err != nil {
			c.miss("the state of node "+node, err)
		}
	}
}

// tail is the end of a file: what came last matters most.
func tail(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > most {
		if _, err := file.Seek(-most, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(file, most))
}
