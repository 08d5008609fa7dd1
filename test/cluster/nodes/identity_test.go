package nodes

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What EKS's webhook adds to the pods of a service account with a Pod Identity association
// (https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html, read 2026-11-26).
const (
	identityAudience = "pods.eks.amazonaws.com"
	identityFolder   = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
	identityToken    = "eks-pod-identity-token"
	identityAddress  = "169.254.170.23"
)

// identityPort is 80 on EKS. Two clusters on one machine have the same address.
func identityPort() int { return 79 + first() }

// withIdentity changes a Job as the webhook changes its pods.
func withIdentity(job map[string]any) {
	spec := podSpec(job)
	spec["volumes"] = append(spec["volumes"].([]any), map[string]any{"name": identityToken, "projected": map[string]any{
		"sources": []any{map[string]any{"serviceAccountToken": map[string]any{
			"audience": identityAudience, "expirationSeconds": int64(86400), "path": identityToken,
		}}},
	}})
	for _, container := range containers(job) {
		environment, _ := container["env"].([]any)
		container["env"] = append(environment,
			map[string]any{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": fmt.Sprintf("http://%s:%d/v1/credentials", identityAddress, identityPort())},
			map[string]any{"name": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "value": identityFolder + "/" + identityToken})
		mounts, _ := container["volumeMounts"].([]any)
		container["volumeMounts"] = append(mounts, map[string]any{"name": identityToken, "mountPath": identityFolder, "readOnly": true})
	}
}

// accountOfRun matches the service account of a run, as the trust policy of its role does.
var accountOfRun = regexp.MustCompile(`^system:serviceaccount:training:.+-[0-9a-f]{10}$`)

// startIdentity starts what EKS's agent is to the pods of a node: whoever shows a token of the run's service account gets
// credentials. S3 does not look at them.
func (c *cluster) startIdentity() error {
	host := c.nodes.Bridge()
	if output, err := exec.Command("ip", "addr", "add", identityAddress+"/32", "dev", host).CombinedOutput(); err != nil {
		return fmt.Errorf("ip addr add %s: %w: %s", identityAddress, err, output)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", identityAddress, identityPort()))
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, http.HandlerFunc(c.credentials)) }() // until the tests end
	return nil
}

func (c *cluster) credentials(w http.ResponseWriter, request *http.Request) {
	review, err := c.client.AuthenticationV1().TokenReviews().Create(background, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: request.Header.Get("Authorization"), Audiences: []string{identityAudience}},
	}, metav1.CreateOptions{})
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case request.URL.Path != "/v1/credentials" || !review.Status.Authenticated || !accountOfRun.MatchString(review.Status.User.Username):
		http.Error(w, fmt.Sprintf("%s: %+v", request.URL.Path, review.Status), http.StatusForbidden)
	default:
		c.identities.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]string{
			"AccessKeyId": "ASIATEST", "SecretAccessKey": "test", "Token": "test", "AccountId": "123456789012",
			"Expiration": time.Now().Add(6 * time.Hour).UTC().Format(time.RFC3339),
		})
	}
}

// withoutIdentity undoes withIdentity for the training container, as if the service account had no association.
func withoutIdentity(job map[string]any) {
	container := podSpec(job)["containers"].([]any)[0].(map[string]any)
	container["env"] = slices.DeleteFunc(container["env"].([]any), func(variable any) bool {
		return strings.HasPrefix(variable.(map[string]any)["name"].(string), "AWS_CONTAINER_")
	})
}
