#!/usr/bin/env bash
# Creates, unless they exist, the S3 bucket that holds Pulumi's state, the KMS key that encrypts the bucket, and a KMS key for the
# secrets of the stack STACK alone, and prints how to use them. Needs the AWS CLI with credentials of the account, and its
# region. STATE_BUCKET is another name of the bucket.
set -euo pipefail
shopt -s inherit_errexit
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
[ -n "$region" ] || { echo "state: no region: set AWS_REGION" >&2; exit 1; }
export AWS_REGION=$region AWS_DEFAULT_REGION=$region # version 1 of the CLI only reads the latter
account=$(aws sts get-caller-identity --query Account --output text)
partition=$(aws sts get-caller-identity --query Arn --output text | cut -d: -f2)
bucket=${STATE_BUCKET:-llm-platform-state-$account-$region}
stack=${STACK:?is the stack whose secrets get a key}
alias=alias/llm-platform-state-$stack

# key ALIAS DESCRIPTION creates a key with an alias, unless it exists, and prints its ARN.
key() {
  local id
  if ! aws kms describe-key --key-id "$1" --query KeyMetadata.Arn --output text 2>/dev/null; then
    id=$(aws kms create-key --description "$2" --query KeyMetadata.KeyId --output text)
    aws kms create-alias --alias-name "$1" --target-key-id "$id"
    aws kms describe-key --key-id "$1" --query KeyMetadata.Arn --output text
  fi
}
arn=$(key alias/llm-platform-state "State of llm-platform")
secrets=$(key "$alias" "Secrets of llm-platform $stack")
aws kms enable-key-rotation --key-id "$arn"
aws kms enable-key-rotation --key-id "$secrets"

# head-bucket also fails for a bucket of another account: create-bucket then says so.
if ! aws s3api head-bucket --bucket "$bucket" --expected-bucket-owner "$account" >/dev/null 2>&1; then
  if [ "$region" = us-east-1 ]; then # which cannot be named
    aws s3api create-bucket --bucket "$bucket" >/dev/null
  else
    aws s3api create-bucket --bucket "$bucket" --create-bucket-configuration "LocationConstraint=$region" >/dev/null
  fi
fi
aws s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
  BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
aws s3api put-bucket-versioning --bucket "$bucket" --versioning-configuration Status=Enabled
aws s3api put-bucket-encryption --bucket "$bucket" --server-side-encryption-configuration \
  "{\"Rules\": [{\"ApplyServerSideEncryptionByDefault\": {\"SSEAlgorithm\": \"aws:kms\", \"KMSMasterKeyID\": \"$arn\"}, \"BucketKeyEnabled\": true}]}"
# A policy that exists stays: it may have further statements.
aws s3api get-bucket-policy --bucket "$bucket" >/dev/null 2>&1 || aws s3api put-bucket-policy --bucket "$bucket" --policy "{\"Version\": \"2012-10-17\", \"Statement\": [{
  \"Sid\": \"TLSOnly\", \"Effect\": \"Deny\", \"Principal\": \"*\", \"Action\": \"s3:*\",
  \"Resource\": [\"arn:$partition:s3:::$bucket\", \"arn:$partition:s3:::$bucket/*\"],
  \"Condition\": {\"Bool\": {\"aws:SecureTransport\": \"false\"}}}]}"

cat <<END
pulumi login 's3://$bucket?region=$region'
pulumi stack init $stack --secrets-provider 'awskms:///$alias?region=$region'
pulumi config set --path ci.stateBucketArn arn:$partition:s3:::$bucket
pulumi config set --path ci.stateKmsKeyArn $secrets
END
