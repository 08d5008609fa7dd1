// Package awsprobe asks AWS the two things that the provider cannot be asked: whether
// a new account's role can be assumed yet (the provider fails at once and does not
// retry), and an object's ETag and size (the provider's look-up also downloads the
// body of text and JSON objects, which training data mostly is).
//
// Credentials and endpoints come from the environment, as the provider's do.
package awsprobe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// Session is an identity in one account and region.
type Session struct {
	Region string
	Role   string // ARN of the role to assume. Empty: the credentials as they are

	pause time.Duration // between two attempts at first; a second, but in tests
}

// sessionName shows in CloudTrail who looked.
const sessionName = "llm-platform"

func (s Session) config(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.Region))
	if err != nil {
		return cfg, fmt.Errorf("AWS credentials: %w", err)
	}
	return cfg, nil
}

// AwaitRole returns once the session's role can be assumed, which takes up to some
// tens of seconds in an account that was just made
// (https://github.com/hashicorp/terraform-provider-aws/issues/6566 reports 10 to 30).
// It gives up after patience, and at once on an error other than a denial. Each
// denial that it waits out is said.
func (s Session) AwaitRole(ctx context.Context, patience time.Duration, say func(string)) error {
	cfg, err := s.config(ctx)
	if err != nil {
		return err
	}
	client := sts.NewFromConfig(cfg)
	deadline := time.Now().Add(patience)
	shortest := s.pause
	if shortest == 0 {
		shortest = time.Second
	}
	pause := shortest
	// AWS's servers learn of a role one after another, so that the first yes after a
	// no is not yet everybody's: ask twice more.
	for yes, needed := 0, 1; yes < needed; {
		_, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &s.Role, RoleSessionName: aws.String(sessionName)})
		var refusal smithy.APIError
		switch {
		case err == nil:
			if yes++; yes == needed {
				return nil
			}
			pause = shortest
		case errors.As(err, &refusal) && refusal.ErrorCode() == "AccessDenied":
			if time.Now().Add(pause).After(deadline) {
				return fmt.Errorf("role %s: cannot be assumed (waited %s); check that it exists, that it trusts the account of these credentials, and that they may sts:AssumeRole it: %w", s.Role, patience, err)
			}
			say(fmt.Sprintf("waiting for role %s, which cannot be assumed yet (%s left)", s.Role, time.Until(deadline).Round(time.Second)))
			yes, needed = 0, 3
		default:
			return fmt.Errorf("role %s: %w", s.Role, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 15*time.Second)
	}
	return nil
}

// Object is what a copy must know of its source.
type Object struct {
	ETag string // as S3 gives it, without the quotes
	Size int64  // bytes
}

// Object looks an object up without reading it. owner, when set, is the account
// that must own the bucket.
func (s Session) Object(ctx context.Context, bucket, key, owner string) (Object, error) {
	cfg, err := s.config(ctx)
	if err != nil {
		return Object{}, err
	}
	if s.Role != "" {
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), s.Role,
			func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = sessionName }))
	}
	input := &s3.HeadObjectInput{Bucket: &bucket, Key: &key}
	if owner != "" {
		input.ExpectedBucketOwner = &owner
	}
	found, err := s3.NewFromConfig(cfg).HeadObject(ctx, input)
	if err != nil {
		return Object{}, fmt.Errorf("s3://%s/%s: %w", bucket, key, explain(err))
	}
	return Object{ETag: trimQuotes(aws.ToString(found.ETag)), Size: aws.ToInt64(found.ContentLength)}, nil
}

// explain puts words to the bare status codes that a HEAD request is answered with.
func explain(err error) error {
	var status interface{ HTTPStatusCode() int }
	if !errors.As(err, &status) {
		return err
	}
	switch status.HTTPStatusCode() {
	case 404:
		return errors.New("there is no such object: upload it, or correct bucket and key")
	case 403:
		return errors.New("access denied: the account's role must be allowed s3:GetObject and s3:ListBucket there (in the bucket's policy too when another account owns it), and the owner must be the expected one")
	case 301, 400:
		return fmt.Errorf("the bucket seems to lie in another region: %w", err)
	}
	return err
}

func trimQuotes(tag string) string {
	if len(tag) > 1 && tag[0] == '"' && tag[len(tag)-1] == '"' {
		return tag[1 : len(tag)-1]
	}
	return tag
}
