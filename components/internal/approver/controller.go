package approver

import (
	"context"
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/redoubt-dev/redoubt/components/local/agent/csr"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

const (
	// A failed answer is tried again after the first delay, doubled each time up to
	// the second: kubelets wait for their certificate, the API server must not drown.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 15 * time.Second
	// connectInterval is how often the approver asks whether it may list requests
	// yet: its rights take effect a moment after the RBAC objects are written.
	connectInterval = 250 * time.Millisecond
)

// signers are those that the approver serves. It watches them by field selector,
// so that it never even reads the requests of others.
var signers = []string{
	certificatesv1.KubeletServingSignerName,
	certificatesv1.KubeAPIServerClientKubeletSignerName,
	hostconfig.SignerPolicyAgent,
}

// Machine is a machine that is, or may become, a node.
type Machine struct {
	hostconfig.NodeIdentity
	// JoinGroup is the group of the credential with which it joins.
	JoinGroup string
	// JoinUser is the user of that credential; empty for any bootstrap token.
	JoinUser string
	// JoinBy is until when it may join; zero for ever.
	JoinBy time.Time
	// TakenBy says whose the Node of this name is when it is not this machine's;
	// empty otherwise.
	TakenBy string
}

// Inventory finds the machine that may bear a node's name at this moment. The
// name comes from whoever asks for a certificate. An error means that it cannot be
// told; the request is then tried again and not decided.
type Inventory func(ctx context.Context, name string) (machine Machine, known bool, err error)

// Authority gives the cluster's authority at this moment; nil signs nothing.
type Authority func() (*pki.Authority, error)

// Run answers requests, as the identity in the kubeconfig, until the context ends.
func Run(ctx context.Context, kubeconfig string, inventory Inventory, authority Authority, log *slog.Logger) {
	c := &controller{
		authority: authority,
		inventory: inventory,
		log:       log,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry)),
	}
	if !c.connect(ctx, kubeconfig) {
		return
	}
	var work sync.WaitGroup
	for _, signer := range signers {
		informer := c.client.Informer(signer, enqueue(func(name string) { c.queue.Add(name) }))
		work.Go(func() { informer.RunWithContext(ctx) })
	}
	work.Go(func() {
		for c.next(ctx) {
		}
	})
	log.Info("answering certificate requests of nodes")
	<-ctx.Done()
	c.queue.ShutDown()
	work.Wait()
}

type controller struct {
	client    *csr.Client
	inventory Inventory
	authority Authority
	log       *slog.Logger
	queue     workqueue.TypedRateLimitingInterface[string]
}

// connect waits until the API server lets the agent list requests. Without it the
// first attempts would fail and the informers back off for up to half a minute.
func (c *controller) connect(ctx context.Context, kubeconfig string) bool {
	said := ""
	for {
		client, err := csr.NewClient(kubeconfig)
		if err == nil {
			if _, err = client.List(ctx, metav1.ListOptions{Limit: 1}); err == nil {
				c.client = client
				return true
			}
		}
		if text := err.Error(); ctx.Err() == nil && text != said {
			c.log.Info("waiting for the right to read certificate requests", "error", text)
			said = text
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(connectInterval):
		}
	}
}

// next answers one request; it returns false when the queue is shut down.
func (c *controller) next(ctx context.Context) bool {
	name, shutdown := c.queue.Get()
	if shutdown {
		return false
	}
	defer c.queue.Done(name)
	if err := c.answer(ctx, name); err != nil && ctx.Err() == nil {
		c.log.Error("certificate request: will be tried again", "request", name, "error", err.Error())
		c.queue.AddRateLimited(name)
		return true
	}
	c.queue.Forget(name)
	return true
}

// answer reads the request afresh, decides and writes the decision. The inventory
// is read for each decision; when it cannot be read, nothing is decided.
func (c *controller) answer(ctx context.Context, name string) error {
	request, err := c.client.Get(ctx, name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	decision, err := Decide(ctx, request, c.inventory, time.Now())
	if err != nil {
		return err
	}
	if decision.Verdict == Ignore || decision.signs != nil && c.authority == nil {
		return nil // without the authority nothing is signed here
	}
	request.Status.Conditions = append(request.Status.Conditions, decision.condition())
	approved, err := c.client.UpdateApproval(ctx, request)
	if err != nil {
		return err
	}
	// A failure here leaves an approved request without a certificate: who asked
	// for it asks again.
	if decision.signs != nil {
		if err := c.sign(ctx, approved, decision.signs); err != nil {
			return err
		}
	}
	level := slog.LevelInfo
	if decision.Verdict == Deny {
		level = slog.LevelWarn
	}
	c.log.Log(ctx, level, "certificate request "+string(decision.Verdict),
		"request", name, "signer", request.Spec.SignerName, "requester", request.Spec.Username,
		"node", decision.Node, "reason", decision.Reason, "message", decision.Message)
	return nil
}

// signedFor is how long a certificate that is signed here lives (M34).
const signedFor = 24 * time.Hour

// sign writes the certificate of an approved request. Name, group and key are
// those that the rules have checked; everything else is decided here.
func (c *controller) sign(ctx context.Context, approved *certificatesv1.CertificateSigningRequest, asked *x509.CertificateRequest) error {
	authority, err := c.authority()
	if err != nil {
		return err
	}
	certificate, err := pki.SignAt(authority, pki.LeafRequest{
		CommonName: asked.Subject.CommonName, Organizations: asked.Subject.Organization, Client: true, Validity: signedFor,
	}, asked.PublicKey, time.Now())
	if err != nil {
		return err
	}
	approved.Status.Certificate = certificate
	return c.client.UpdateStatus(ctx, approved)
}

// enqueue passes on the names of requests that nobody has decided yet.
func enqueue(add func(name string)) cache.ResourceEventHandler {
	see := func(object any) {
		if request, ok := object.(*certificatesv1.CertificateSigningRequest); ok && !decided(request) {
			add(request.Name)
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    see,
		UpdateFunc: func(_, object any) { see(object) },
	}
}
