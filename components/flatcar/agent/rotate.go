package agent

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	bootstraputil "k8s.io/cluster-bootstrap/token/util"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// tokensKept is how many tokens of a pool live: the present one and the one that
// a machine which fetched it just before the rotation still joins with.
const tokensKept = 2

// RotateJoinConfig makes a new token for each pool whose newest is due, writes the
// join configurations of all pools, and then deletes the tokens before the last
// two. The newest token in the cluster decides what the store must hold: a run that
// was killed is completed by the next, whichever machine's it is.
func (a *Agent) RotateJoinConfig(ctx context.Context) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	config, client, err := a.as(nodeconfig.UserTokens)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	core, err := coreclient.NewForConfigAndClient(config, client)
	if err != nil {
		return err
	}
	return a.locked(ctx, joinConfigLock, config, client, func(ctx context.Context) error {
		return a.rotate(ctx, core.Secrets(metav1.NamespaceSystem))
	})
}

func (a *Agent) rotate(ctx context.Context, secrets coreclient.SecretInterface) error {
	// The store is read before the cluster: what somebody writes in between makes
	// our own write fail, and an older token never takes a newer one's place.
	stored := map[string]object{}
	for _, pool := range a.config.Pools {
		data, tag, err := a.read(ctx, a.config.Store, nodeconfig.JoinConfigKey(pool.Name))
		if errors.Is(err, cloud.ErrNotFound) {
			tag = cloud.Absent
		} else if err != nil {
			return err
		}
		stored[pool.Name] = object{data, tag}
	}
	found, err := secrets.List(ctx, metav1.ListOptions{LabelSelector: nodeconfig.LabelPool})
	if err != nil {
		return fmt.Errorf("listing tokens: %w", err)
	}
	byPool := map[string][]corev1.Secret{}
	for _, secret := range found.Items {
		if secret.Type == corev1.SecretTypeBootstrapToken {
			pool := secret.Labels[nodeconfig.LabelPool]
			byPool[pool] = append(byPool[pool], secret)
		}
	}
	var faults []error
	for _, pool := range a.config.Pools {
		if err := a.rotatePool(ctx, secrets, pool.Name, byPool[pool.Name], stored[pool.Name]); err != nil {
			faults = append(faults, fmt.Errorf("pool %s: %w", pool.Name, err))
		}
		delete(byPool, pool.Name)
	}
	for pool, left := range byPool { // of pools that are no more
		faults = append(faults, a.deleteTokens(ctx, secrets, pool, left))
	}
	return errors.Join(faults...)
}

// object is what the store held when the run began.
type object struct {
	data []byte
	tag  string
}

func (a *Agent) rotatePool(ctx context.Context, secrets coreclient.SecretInterface, pool string, found []corev1.Secret, stored object) error {
	tokens, wrong := a.sortTokens(pool, found)
	if len(tokens) == 0 || a.due(tokens[0]) {
		made, err := secrets.Create(ctx, a.newToken(pool), metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("making a token: %w", err)
		}
		a.log.Info("token made", "pool", pool, "id", string(made.Data[bootstrapapi.BootstrapTokenIDKey]), "good until", string(made.Data[bootstrapapi.BootstrapTokenExpirationKey]))
		tokens = slices.Insert(tokens, 0, *made)
	}
	wanted, err := a.joinConfigOf(tokens[0])
	if err != nil {
		return err
	}
	if !bytes.Equal(stored.data, wanted) {
		if err := a.cloud.Put(ctx, a.config.Store, nodeconfig.JoinConfigKey(pool), bytes.NewReader(wanted), stored.tag); err != nil {
			return err
		}
		a.log.Info("join configuration written", "pool", pool, "object", nodeconfig.JoinConfigKey(pool))
	}
	// Last: until the new token is out, the old ones must work.
	return a.deleteTokens(ctx, secrets, pool, append(wrong, tokens[min(tokensKept, len(tokens)):]...))
}

// clockSlack is how far the clocks of two control planes may differ.
const clockSlack = time.Minute

// sortTokens puts the newest first, which is the one that ends last; names break
// ties the same way for everybody. Tokens that are not what would be made now,
// because somebody changed them or a clock jumped, are wrong.
func (a *Agent) sortTokens(pool string, found []corev1.Secret) (tokens, wrong []corev1.Secret) {
	like := a.newToken(pool)
	for _, secret := range found {
		good := a.expires(secret).Sub(a.now()) <= a.config.Tokens.Validity.Duration+clockSlack && !a.expires(secret).IsZero()
		for _, key := range []string{bootstrapapi.BootstrapTokenExtraGroupsKey, bootstrapapi.BootstrapTokenUsageAuthentication, bootstrapapi.BootstrapTokenUsageSigningKey} {
			good = good && string(secret.Data[key]) == like.StringData[key]
		}
		if good {
			tokens = append(tokens, secret)
		} else {
			wrong = append(wrong, secret)
		}
	}
	slices.SortFunc(tokens, func(x, y corev1.Secret) int {
		return cmp.Or(a.expires(y).Compare(a.expires(x)), cmp.Compare(y.Name, x.Name))
	})
	return tokens, wrong
}

// expires is a token's end; zero when it has none.
func (a *Agent) expires(secret corev1.Secret) time.Time {
	end, err := time.Parse(time.RFC3339, string(secret.Data[bootstrapapi.BootstrapTokenExpirationKey]))
	if err != nil {
		return time.Time{}
	}
	return end
}

// due tells whether the newest token must have a successor.
func (a *Agent) due(newest corev1.Secret) bool {
	lifetimes := a.config.Tokens
	return a.expires(newest).Sub(a.now()) <= lifetimes.Validity.Duration-lifetimes.RotateAfter.Duration
}

// newToken makes a token's Secret, which authenticates and does nothing else: it
// signs no public object.
func (a *Agent) newToken(pool string) *corev1.Secret {
	text, err := bootstraputil.GenerateBootstrapToken()
	if err != nil {
		panic(err) // the system's source of randomness is gone
	}
	id, secret := text[:6], text[7:]
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: bootstrapapi.BootstrapTokenSecretPrefix + id, Namespace: metav1.NamespaceSystem,
			Labels: map[string]string{nodeconfig.LabelPool: pool},
		},
		Type: corev1.SecretTypeBootstrapToken,
		StringData: map[string]string{
			bootstrapapi.BootstrapTokenIDKey:               id,
			bootstrapapi.BootstrapTokenSecretKey:           secret,
			bootstrapapi.BootstrapTokenExpirationKey:       a.now().Add(a.config.Tokens.Validity.Duration).UTC().Format(time.RFC3339),
			bootstrapapi.BootstrapTokenUsageAuthentication: "true",
			bootstrapapi.BootstrapTokenExtraGroupsKey:      hostconfig.GroupNodeBootstrappers + "," + nodeconfig.GroupPool(pool),
			bootstrapapi.BootstrapTokenDescriptionKey:      "machines of pool " + pool + " join with it; redoubt-node rotates it",
		},
	}
}

func (a *Agent) joinConfigOf(secret corev1.Secret) ([]byte, error) {
	text := string(secret.Data[bootstrapapi.BootstrapTokenIDKey]) + "." + string(secret.Data[bootstrapapi.BootstrapTokenSecretKey])
	return renderJoinConfig(a.config, text, a.expires(secret))
}

func (a *Agent) deleteTokens(ctx context.Context, secrets coreclient.SecretInterface, pool string, tokens []corev1.Secret) error {
	var faults []error
	for _, secret := range tokens {
		if err := secrets.Delete(ctx, secret.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			faults = append(faults, fmt.Errorf("deleting %s: %w", secret.Name, err))
			continue
		}
		a.log.Info("token deleted", "pool", pool, "secret", secret.Name)
	}
	return errors.Join(faults...)
}
