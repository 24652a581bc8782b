package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// token gives the one that a pool's machines find.
func (r *Rehearsal) token(config nodeconfig.Config, pool string) (string, error) {
	data, found := r.Cloud.Server.Get(config.Store, nodeconfig.JoinConfigKey(pool))
	_, after, cut := strings.Cut(string(data), "token: ")
	if !found || !cut {
		return "", fmt.Errorf("there is no token in %s", nodeconfig.JoinConfigKey(pool))
	}
	token, _, _ := strings.Cut(after, "\n")
	return strings.Trim(token, `"'`), nil
}

// whoami asks an API server with a token, from a worker, and gives the status.
func (r *Rehearsal) whoami(ctx context.Context, endpoint, token string) (string, error) {
	return r.Run(ctx, r.Workers()[0], "curl", "--silent", "--max-time", "10", "--cacert", "/etc/kubernetes/pki/ca.crt", "--output", "/dev/null",
		"--write-out", "%{http_code}", "--header", "Authorization: Bearer "+token, endpoint+"/apis/certificates.k8s.io/v1/certificatesigningrequests/none")
}

// proveTokens makes the newest token due, twice, by taking half of its life away,
// and runs the unit: the first token works after one rotation and not after two.
func proveTokens(ctx context.Context, r *Rehearsal) error {
	plane := r.Planes()[0]
	config, err := r.NodeConfig(plane)
	if err != nil {
		return err
	}
	pool := config.Pools[0].Name
	first, err := r.token(config, pool)
	if err != nil {
		return err
	}
	known := func(ctx context.Context, token string) error {
		return Eventually(ctx, func() error {
			// 403: known, and allowed to make requests alone. 401: not known.
			status, err := r.whoami(ctx, config.Endpoint, token)
			if err == nil && status == "401" {
				err = errors.New("the token is refused")
			}
			return err
		})
	}
	if err := within(ctx, time.Minute, func(ctx context.Context) error { return known(ctx, first) }); err != nil {
		return err
	}
	for rotation := 1; rotation <= 2; rotation++ {
		present, err := r.token(config, pool)
		if err != nil {
			return err
		}
		id, _, _ := strings.Cut(present, ".")
		due := time.Now().Add(config.Tokens.Validity.Duration - config.Tokens.RotateAfter.Duration - time.Minute).UTC().Format(time.RFC3339)
		if _, err := r.Kubectl(ctx, "--namespace=kube-system", "patch", "secret", "bootstrap-token-"+id, "--type=merge",
			"--patch", fmt.Sprintf(`{"stringData":{"expiration":%q}}`, due)); err != nil {
			return err
		}
		if _, err := r.Run(ctx, plane, "systemctl", "start", "redoubt-join-config.service"); err != nil {
			return fmt.Errorf("%w\n%s", err, r.Journal(plane, "redoubt-join-config.service", 10))
		}
		next, err := r.token(config, pool)
		if err != nil {
			return err
		}
		if next == present {
			return fmt.Errorf("the token was not rotated\n%s", r.Journal(plane, "redoubt-join-config.service", 10))
		}
		status, err := r.whoami(ctx, config.Endpoint, first)
		if err != nil {
			return err
		}
		if want := rotation == 2; (status == "401") != want {
			// The API servers learn of a deleted token within moments.
			err := within(ctx, time.Minute, func(ctx context.Context) error {
				return Eventually(ctx, func() error {
					status, err := r.whoami(ctx, config.Endpoint, first)
					if err == nil && (status == "401") != want {
						err = fmt.Errorf("after %d rotations the first token gets %s", rotation, status)
					}
					return err
				})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
