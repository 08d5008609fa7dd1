package settings

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Encryption at rest of buckets.
const (
	KMS    = "kms"    // with a KMS key of the stack, and a bucket key
	AES256 = "aes256" // with S3's keys
)

// SampleKey is the key of the sample object in a source bucket that the stack creates.
const SampleKey = "sample/corpus.txt"

// Storage describes the buckets and what is copied into them.
type Storage struct {
	Encryption               string              // KMS or AES256
	KeepData                 bool                // retain buckets, keys and copies on destroy
	NoncurrentDays           int                 // days to keep replaced and deleted object versions
	CheckpointNoncurrentDays int                 // likewise, of checkpoints: a run deletes many
	LogDays                  int                 // days to keep access logs
	SourceBucket             string              // existing bucket to copy from. Empty: one is created, with a sample
	SourceAccountID          string              // account that must own it; empty: the training account
	SourceKMSKeyARN          string              // KMS key that encrypts it; empty: none
	RequesterPays            bool                // the training account pays for reading the source bucket
	Copies                   map[string]Copy     // by name
	Transfers                map[string]Transfer // by name
}

// Copy is an object to copy from the source bucket to the dataset bucket.
type Copy struct {
	Source      string // key in the source bucket
	Destination string // key in the dataset bucket
}

// Transfer is a prefix that DataSync copies from the source bucket to the dataset bucket: for more or larger objects
// than Copy supports.
type Transfer struct {
	Source      string // prefix in the source bucket; empty: the whole bucket
	Destination string // prefix in the dataset bucket
	Schedule    string // rate(…) or cron(…); empty: started manually only
}

type rawStorage struct {
	Encryption               string                 `json:"encryption"`
	KeepData                 bool                   `json:"keepData"`
	NoncurrentDays           int                    `json:"noncurrentDays"`
	CheckpointNoncurrentDays int                    `json:"checkpointNoncurrentDays"`
	LogDays                  int                    `json:"logDays"`
	SourceBucket             string                 `json:"sourceBucket"`
	SourceAccountID          string                 `json:"sourceAccountId"`
	SourceKMSKeyARN          string                 `json:"sourceKmsKeyArn"`
	RequesterPays            bool                   `json:"requesterPays"`
	Copies                   map[string]rawCopy     `json:"copies"`
	Transfers                map[string]rawTransfer `json:"transfers"`
}

type rawCopy struct {
	Source      string `json:"source"`
	Destination string `json:"destination,omitempty"` // default: source
}

type rawTransfer struct {
	Source      string `json:"source,omitempty"`
	Destination string `json:"destination,omitempty"` // default: source
	Schedule    string `json:"schedule,omitempty"`
}

func (s rawStorage) resolve() Storage {
	copies := make(map[string]Copy, len(s.Copies))
	for name, c := range s.Copies {
		if c.Destination == "" {
			c.Destination = c.Source
		}
		copies[name] = Copy(c)
	}
	transfers := make(map[string]Transfer, len(s.Transfers))
	for name, t := range s.Transfers {
		if t.Destination == "" {
			t.Destination = t.Source
		}
		transfers[name] = Transfer(t)
	}
	return Storage{
		Encryption:               s.Encryption,
		KeepData:                 s.KeepData,
		NoncurrentDays:           s.NoncurrentDays,
		CheckpointNoncurrentDays: s.CheckpointNoncurrentDays,
		LogDays:                  s.LogDays,
		SourceBucket:             s.SourceBucket,
		SourceAccountID:          s.SourceAccountID,
		SourceKMSKeyARN:          s.SourceKMSKeyARN,
		RequesterPays:            s.RequesterPays,
		Copies:                   copies,
		Transfers:                transfers,
	}
}

var (
	// A bucket name, but without dots, which break TLS with virtual-hosted names and some S3 clients.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, read 2026-11-22
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
)

func (s rawStorage) validate(p *field.Path, resolved Storage) field.ErrorList {
	return slices.Concat(
		choice(p.Child("encryption"), s.Encryption, KMS, AES256),
		between(p.Child("noncurrentDays"), s.NoncurrentDays, 1, 3650),
		between(p.Child("checkpointNoncurrentDays"), s.CheckpointNoncurrentDays, 1, 3650),
		between(p.Child("logDays"), s.LogDays, 1, 3650),
		s.validateSource(p),
		validateCopies(p.Child("copies"), resolved.Copies),
		validateTransfers(p.Child("transfers"), resolved.Transfers),
	)
}

func (s rawStorage) validateSource(p *field.Path) field.ErrorList {
	bucket, owner, key := p.Child("sourceBucket"), p.Child("sourceAccountId"), p.Child("sourceKmsKeyArn")
	errs := append(account(owner, s.SourceAccountID), keyARN.optional(key, s.SourceKMSKeyARN)...)
	if s.SourceBucket == "" {
		if s.SourceAccountID != "" {
			errs = append(errs, field.Forbidden(owner, "requires "+bucket.String()+"; set it, or remove this"))
		}
		if s.SourceKMSKeyARN != "" {
			errs = append(errs, field.Forbidden(key, "requires "+bucket.String()+"; set it, or remove this"))
		}
		if s.RequesterPays {
			errs = append(errs, field.Forbidden(p.Child("requesterPays"), "requires "+bucket.String()+"; set it, or remove this"))
		}
		return errs
	}
	if _, err := netip.ParseAddr(s.SourceBucket); err == nil || !bucketName.MatchString(s.SourceBucket) {
		errs = append(errs, field.Invalid(bucket, s.SourceBucket,
			"must be a bucket name, not a URL or an ARN: 3 to 63 lower-case letters, digits and hyphens; dots "+
				"break TLS and some S3 clients"))
	}
	return errs
}

func validateCopies(p *field.Path, copies map[string]Copy) field.ErrorList {
	var errs field.ErrorList
	writer := map[string]string{} // name of the copy that writes a key
	for _, name := range slices.Sorted(maps.Keys(copies)) {
		at, c := entry(p, name), copies[name]
		errs = append(errs, entryName(at, name)...)
		errs = append(errs, objectKey(at.Child("source"), c.Source)...)
		if c.Destination != c.Source {
			errs = append(errs, objectKey(at.Child("destination"), c.Destination)...)
		}
		if other, taken := writer[c.Destination]; taken {
			errs = append(errs, field.Invalid(at.Child("destination"), c.Destination,
				"must differ from the destination of "+other))
		}
		writer[c.Destination] = name
	}
	return errs
}

func validateTransfers(p *field.Path, transfers map[string]Transfer) field.ErrorList {
	var errs field.ErrorList
	writer := map[string]string{} // name of the transfer that writes a prefix
	for _, name := range slices.Sorted(maps.Keys(transfers)) {
		at, t := entry(p, name), transfers[name]
		errs = append(errs, entryName(at, name)...)
		errs = append(errs, keyPrefix(at.Child("source"), t.Source)...)
		if t.Destination != t.Source {
			errs = append(errs, keyPrefix(at.Child("destination"), t.Destination)...)
		}
		errs = append(errs, validateSchedule(at.Child("schedule"), t.Schedule)...)
		prefix := strings.TrimSuffix(t.Destination, "/")
		if other, taken := writer[prefix]; taken {
			errs = append(errs, field.Invalid(at.Child("destination"), t.Destination,
				"must differ from the destination of "+other))
		}
		writer[prefix] = name
	}
	return errs
}

// objectKey checks the key of an object.
func objectKey(p *field.Path, key string) field.ErrorList {
	switch {
	case key == "":
		return field.ErrorList{field.Required(p, "name an object, for example "+SampleKey)}
	case strings.HasSuffix(key, "/"):
		return field.ErrorList{field.Invalid(p, key, "must be the key of an object; for a prefix, use storage.transfers")}
	}
	return keyPrefix(p, key)
}

// keyPrefix checks a prefix of object keys, which may be empty. The provider removes leading and doubled slashes from
// a destination but not from a source, so keys with them would name two different objects.
func keyPrefix(p *field.Path, key string) field.ErrorList {
	switch {
	case strings.HasPrefix(key, "s3://"):
		return field.ErrorList{field.Invalid(p, key, "must be a key within the bucket, not a URL")}
	case strings.HasPrefix(key, "/") || strings.Contains(key, "//"):
		return field.ErrorList{field.Invalid(p, key, "must not have a leading or a doubled slash")}
	case strings.Contains(key, "?versionId="):
		return field.ErrorList{field.Invalid(p, key, "must not name a version; the newest version is copied")}
	// The length of an object key: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, read 2026-11-22
	case len(key) > 1024:
		return field.ErrorList{field.Invalid(p, key, "must be at most 1024 bytes")}
	}
	return nil
}
