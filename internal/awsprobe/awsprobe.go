// Package awsprobe makes the two AWS look-ups that the provider cannot make: whether a new account's role can be
// assumed yet (the provider fails at once and does not retry), and an object's ETag and size (the provider's
// look-up also downloads the body of text and JSON objects, which training data mostly is).
//
// Credentials and endpoints come from the environment, as the provider's do.
package awsprobe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"llm-platform/internal/advice"
)

// Session is an identity in one account and region.
type Session struct {
	Region string
	Role   string // ARN of the role to assume. Empty: the credentials as they are

	pause time.Duration // first pause between two attempts; 0: a second
}

// sessionName identifies the look-ups in CloudTrail.
const sessionName = "llm-platform"

func (s Session) config(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.Region))
	if err != nil {
		return cfg, fmt.Errorf("AWS credentials: %w", err)
	}
	return cfg, nil
}

// AwaitRole returns once the session's role can be assumed, which takes some tens of seconds in a new account
// (https://github.com/hashicorp/terraform-provider-aws/issues/6566 reports 10 to 30). It gives up after patience,
// and at once on an error other than a denial. It reports each denial that it waits out.
func (s Session) AwaitRole(ctx context.Context, patience time.Duration, report func(string)) error {
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
	// A new role reaches AWS's servers one after another: after a denial, one success is not enough.
	for successes, needed := 0, 1; successes < needed; {
		_, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &s.Role, RoleSessionName: aws.String(sessionName)})
		switch {
		case err == nil:
			if successes++; successes == needed {
				return nil
			}
			pause = shortest
		case Denied(err):
			if time.Now().Add(pause).After(deadline) {
				return fmt.Errorf("role %s: cannot be assumed (waited %s); check that it exists, that it trusts the account of the credentials, and that they have sts:AssumeRole for it: %w", s.Role, patience, err)
			}
			report(fmt.Sprintf("waiting until role %s can be assumed (%s left)", s.Role, time.Until(deadline).Round(time.Second)))
			successes, needed = 0, 3
		default:
			return fmt.Errorf("role %s: %w", s.Role, advice.With(err))
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

// Denied reports whether an error of AwaitRole is a denial.
func Denied(err error) bool {
	var refusal smithy.APIError
	return errors.As(err, &refusal) && refusal.ErrorCode() == "AccessDenied"
}

// Source names an object to look up.
type Source struct {
	Bucket, Key   string
	Owner         string // account that must own the bucket; empty: any
	RequesterPays bool   // the account of the session pays for the request
}

// Object is what a copy needs to know of its source.
type Object struct {
	ETag     string // without quotes
	Size     int64  // bytes
	Archived string // where it is archived and not restored, for example GLACIER; empty: it can be copied
}

// Object looks up an object without reading it.
func (s Session) Object(ctx context.Context, source Source) (Object, error) {
	cfg, err := s.config(ctx)
	if err != nil {
		return Object{}, err
	}
	if s.Role != "" {
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), s.Role,
			func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = sessionName }))
	}
	input := &s3.HeadObjectInput{Bucket: &source.Bucket, Key: &source.Key}
	if source.Owner != "" {
		input.ExpectedBucketOwner = &source.Owner
	}
	if source.RequesterPays {
		input.RequestPayer = types.RequestPayerRequester
	}
	found, err := s3.NewFromConfig(cfg).HeadObject(ctx, input)
	if err != nil {
		return Object{}, fmt.Errorf("s3://%s/%s: %w", source.Bucket, source.Key, explain(err))
	}
	return Object{
		ETag: strings.Trim(aws.ToString(found.ETag), `"`), Size: aws.ToInt64(found.ContentLength), Archived: archived(found),
	}, nil
}

// archived returns the storage class or archive tier from which an object cannot be copied until it is restored, or "".
// A restored object says so; STANDARD is not said at all.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html, read 2026-11-26
func archived(found *s3.HeadObjectOutput) string {
	if strings.Contains(aws.ToString(found.Restore), `ongoing-request="false"`) {
		return ""
	}
	switch found.StorageClass {
	case types.StorageClassGlacier, types.StorageClassDeepArchive: // not GLACIER_IR, which is read at once
		return string(found.StorageClass)
	case types.StorageClassIntelligentTiering:
		return string(found.ArchiveStatus)
	}
	return ""
}

// explain adds words to the bare status codes that answer a HEAD request.
func explain(err error) error {
	var status interface{ HTTPStatusCode() int }
	if !errors.As(err, &status) {
		return advice.With(err)
	}
	switch status.HTTPStatusCode() {
	case 404:
		return errors.New("the object does not exist: upload it, or correct bucket and key")
	case 403:
		return errors.New("access denied: the account's role needs s3:GetObject and s3:ListBucket (in the bucket's policy too if another account owns it), and the bucket's owner must be storage.sourceAccountId or, if that is empty, the training account. A bucket whose requester pays needs storage.requesterPays: true")
	case 400:
		return fmt.Errorf("the bucket seems to be in another region, or the credentials have expired: %w", err)
	case 301:
		return fmt.Errorf("the bucket seems to be in another region: %w", err)
	}
	return advice.With(err)
}
