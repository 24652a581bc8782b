package fakecloud

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// imdsToken is a session token of IMDSv2.
type imdsToken struct {
	instance string
	expires  time.Time
}

const (
	tokenTTLHeader = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	tokenHeader    = "X-Aws-Ec2-Metadata-Token"
	longestIMDS    = 21600 // seconds, https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
	// roleSession is how long credentials of an instance's role hold.
	roleSession = 6 * time.Hour
)

// imdsVersion is the first part of a path.
var imdsVersion = regexp.MustCompile(`^/(latest|20[0-9]{2}-[0-9]{2}-[0-9]{2})/`)

// hopLimited limits how many hops the answers on a listener's connections go.
type hopLimited struct {
	net.Listener
	hops int
}

// Accept sets the limit on each connection: a listener of Go is one of MPTCP,
// which has no such option.
func (l hopLimited) Accept() (net.Conn, error) {
	for {
		connection, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if tcp, ok := connection.(*net.TCPConn); !ok || setTTL(tcp, l.hops) == nil {
			return connection, nil
		}
		_ = connection.Close() // better no answer than one that goes too far
	}
}

func setTTL(tcp *net.TCPConn, hops int) error {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TTL, hops)
	})
	if err == nil {
		err = failed
	}
	return err
}

// awsMetadata is IMDSv2 with version 1 turned off.
func (c *Cloud) awsMetadata(who func(*http.Request) *Instance) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		instance := who(r)
		record := Request{Service: "metadata", Action: r.Method + " " + r.URL.Path, Status: http.StatusOK}
		refuse := func(status int) {
			record.Status = status
			http.Error(w, http.StatusText(status), status)
		}
		defer func() { c.note(record) }()
		if fault, failing := c.fault("metadata", record.Action); failing {
			record.Status = fault.Status
			fail(w, fault)
			return
		}
		if instance == nil || r.Header.Get("X-Forwarded-For") != "" {
			refuse(http.StatusForbidden) // a forwarded request is refused by IMDSv2
			return
		}
		record.Instance, record.Role = instance.ID, instance.Role
		if r.URL.Path == "/latest/api/token" {
			seconds, err := strconv.Atoi(r.Header.Get(tokenTTLHeader))
			if r.Method != http.MethodPut {
				refuse(http.StatusMethodNotAllowed)
			} else if err != nil || seconds < 1 || seconds > longestIMDS {
				refuse(http.StatusBadRequest)
			} else {
				w.Header().Set(tokenTTLHeader, strconv.Itoa(seconds))
				fmt.Fprint(w, c.newIMDSToken(instance.ID, time.Duration(seconds)*time.Second))
			}
			return
		}
		if !c.goodIMDSToken(r.Header.Get(tokenHeader), instance.ID) {
			refuse(http.StatusUnauthorized)
			return
		}
		prefix := imdsVersion.FindString(r.URL.Path)
		text, found := c.awsMetadatum(instance, strings.TrimPrefix(r.URL.Path, prefix))
		if prefix == "" || !found {
			refuse(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(text))
	})
}

func (c *Cloud) newIMDSToken(instance string, validity time.Duration) string {
	c.lock.Lock()
	defer c.lock.Unlock()
	text := random(28)
	c.tokens[text] = imdsToken{instance, c.now().Add(validity)}
	return text
}

func (c *Cloud) goodIMDSToken(text, instance string) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	token, known := c.tokens[text]
	return known && token.instance == instance && c.now().Before(token.expires)
}

func (c *Cloud) awsMetadatum(i *Instance, path string) (string, bool) {
	zone := i.Zone
	if zone == "" {
		zone = c.region + "a"
	}
	values := map[string]string{
		"meta-data/instance-id": i.ID, "meta-data/local-ipv4": i.Addresses[0],
		"meta-data/local-hostname": c.privateDNSName(i), "meta-data/hostname": c.privateDNSName(i),
		"meta-data/placement/region": c.region, "meta-data/placement/availability-zone": zone,
		"meta-data/instance-type": "m7i.large", "meta-data/services/domain": "amazonaws.com", "meta-data/services/partition": "aws",
		"meta-data/iam/security-credentials/": i.Role, "meta-data/iam/security-credentials": i.Role,
	}
	if i.Group != "" {
		state := "InService"
		if i.Leaving {
			state = "Terminated"
		}
		values["meta-data/autoscaling/target-lifecycle-state"] = state
	}
	switch path {
	case "user-data":
		return string(i.UserData), len(i.UserData) > 0
	case "meta-data/iam/security-credentials/" + i.Role:
		return c.awsCredentials(i), true
	case "meta-data/iam/info":
		return c.json(map[string]any{"Code": "Success", "InstanceProfileArn": c.profileARN(i.Role)}), true
	case "dynamic/instance-identity/document":
		return c.json(map[string]any{"accountId": c.account, "region": c.region, "availabilityZone": zone, "instanceId": i.ID,
			"privateIp": i.Addresses[0], "architecture": "x86_64", "instanceType": "m7i.large", "version": "2017-09-30",
			"pendingTime": i.Launched.UTC().Format(time.RFC3339)}), true
	}
	text, found := values[path]
	return text, found
}

// awsCredentials makes credentials of the role for the instance.
func (c *Cloud) awsCredentials(i *Instance) string {
	c.lock.Lock()
	defer c.lock.Unlock()
	id := "ASIA" + strings.ToUpper(random(8))
	s := &session{role: i.Role, instance: i.ID, secret: random(20), token: random(64), expires: c.now().Add(roleSession)}
	c.sessions[id] = s
	return c.json(map[string]any{"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": c.now().UTC().Format(time.RFC3339),
		"AccessKeyId": id, "SecretAccessKey": s.secret, "Token": s.token, "Expiration": s.expires.UTC().Format(time.RFC3339)})
}

func (c *Cloud) json(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err) // plain maps of strings
	}
	return string(data)
}

func (c *Cloud) profileARN(role string) string {
	return "arn:aws:iam::" + c.account + ":instance-profile/" + role
}

func (c *Cloud) roleARN(role string) string { return "arn:aws:iam::" + c.account + ":role/" + role }

// fail answers as a fault says.
func fail(w http.ResponseWriter, fault Fault) {
	if fault.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	http.Error(w, http.StatusText(fault.Status), fault.Status)
}

func contains(text, part string) bool { return strings.Contains(text, part) }
