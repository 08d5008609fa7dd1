package settings

import (
	"net/netip"
	"regexp"
	"strings"
)

// Kinds of bucket encryption.
const (
	KMS    = "kms"    // with a key of our own, and a bucket key
	AES256 = "aes256" // with S3's keys
)

// Storage is the settings of the buckets and of what is copied into them.
type Storage struct {
	Encryption      string              `json:"encryption"`      // KMS or AES256
	KeepData        bool                `json:"keepData"`        // leave buckets, keys and copies in place on destroy
	NoncurrentDays  int                 `json:"noncurrentDays"`  // how long a replaced or deleted version of an object stays
	LogDays         int                 `json:"logDays"`         // how long an access log stays
	SourceBucket    string              `json:"sourceBucket"`    // existing bucket that data is copied from. Empty: one is made, with a sample
	SourceAccountID string              `json:"sourceAccountId"` // account that owns it, when not the training account
	SourceKMSKeyARN string              `json:"sourceKmsKeyArn"` // ARN of the KMS key that encrypts it, when it has one
	Copies          map[string]Copy     `json:"copies"`          // by name
	Transfers       map[string]Transfer `json:"transfers"`       // by name
}

// Copy is one object copied from the source bucket to the dataset bucket.
type Copy struct {
	Source      string `json:"source"`      // key of the object in the source bucket
	Destination string `json:"destination"` // key in the dataset bucket; default: the same
}

// Transfer is a prefix of the source bucket that DataSync copies to the dataset
// bucket, for more or larger objects than Copy takes.
type Transfer struct {
	Source      string `json:"source"`      // prefix in the source bucket; empty: all of it
	Destination string `json:"destination"` // prefix in the dataset bucket; default: the same
	Schedule    string `json:"schedule"`    // rate(…) or cron(…); empty: only when started by hand
}

// CopyNames is the names of the copies, sorted.
func (s Storage) CopyNames() []string { return names(s.Copies) }

// TransferNames is the names of the transfers, sorted.
func (s Storage) TransferNames() []string { return names(s.Transfers) }

// SampleKey is where the sample object lies in a source bucket that we make.
const SampleKey = "sample/corpus.txt"

var (
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, less the dots,
	// which break virtual-hosted TLS and S3 clients for training.
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	resourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	keyARN       = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`)
	schedule     = regexp.MustCompile(`^(rate\([1-9][0-9]* (hours?|days?)\)|cron\([^()]+\))$`)
)

func (s *Storage) check(f *faults) {
	f.choice("storage.encryption", s.Encryption, KMS, AES256)
	f.between("storage.noncurrentDays", s.NoncurrentDays, 1, 3650, "days")
	f.between("storage.logDays", s.LogDays, 1, 3650, "days")
	s.checkSource(f)
	s.checkCopies(f)
	s.checkTransfers(f)
}

func (s *Storage) checkSource(f *faults) {
	const key = "storage.sourceBucket"
	_, notAddress := netip.ParseAddr(s.SourceBucket)
	switch {
	case s.SourceBucket == "":
		if s.SourceAccountID != "" {
			f.add("storage.sourceAccountId", "says who owns the source bucket, but %s names none: set it too, or remove this", key)
		}
		if s.SourceKMSKeyARN != "" {
			f.add("storage.sourceKmsKeyArn", "says what encrypts the source bucket, but %s names none: set it too, or remove this", key)
		}
	case strings.HasPrefix(s.SourceBucket, "s3://") || strings.HasPrefix(s.SourceBucket, "arn:"):
		f.add(key, "%q is an address: give the bucket's bare name", s.SourceBucket)
	case !bucketName.MatchString(s.SourceBucket) || notAddress == nil:
		f.add(key, "%q is not a bucket's name: 3 to 63 lower-case letters, digits and hyphens (no dots, which break TLS and S3 clients for training)", s.SourceBucket)
	}
	checkAccount(f, "storage.sourceAccountId", s.SourceAccountID)
	if s.SourceKMSKeyARN != "" && !keyARN.MatchString(s.SourceKMSKeyARN) {
		f.add("storage.sourceKmsKeyArn", "%q is not a key's ARN, as arn:aws:kms:us-west-2:111122223333:key/… (an alias or a bare id is not enough)", s.SourceKMSKeyARN)
	}
}

func (s *Storage) checkCopies(f *faults) {
	goesTo := map[string]string{} // which copy writes a key
	for _, name := range s.CopyNames() {
		at, c := "storage.copies."+name, s.Copies[name]
		if c.Destination == "" {
			c.Destination = c.Source
			s.Copies[name] = c
		}
		checkName(f, at, name)
		checkKey(f, at+".source", c.Source, true)
		if c.Destination != c.Source {
			checkKey(f, at+".destination", c.Destination, true)
		}
		if other, taken := goesTo[c.Destination]; taken {
			f.add(at+".destination", "%q is also where %s goes: one would overwrite the other", c.Destination, other)
		}
		goesTo[c.Destination] = name
	}
}

func (s *Storage) checkTransfers(f *faults) {
	goesTo := map[string]string{} // which transfer writes a prefix
	for _, name := range s.TransferNames() {
		at, t := "storage.transfers."+name, s.Transfers[name]
		if t.Destination == "" {
			t.Destination = t.Source
			s.Transfers[name] = t
		}
		checkName(f, at, name)
		checkKey(f, at+".source", t.Source, false)
		if t.Destination != t.Source {
			checkKey(f, at+".destination", t.Destination, false)
		}
		// https://docs.aws.amazon.com/datasync/latest/userguide/task-scheduling.html
		if t.Schedule != "" && !schedule.MatchString(t.Schedule) {
			f.add(at+".schedule", "%q is neither rate(N hours), rate(N days) nor cron(…); DataSync starts at most once an hour", t.Schedule)
		}
		prefix := strings.TrimSuffix(t.Destination, "/")
		if other, taken := goesTo[prefix]; taken {
			f.add(at+".destination", "%q is also where %s goes: one would overwrite the other", t.Destination, other)
		}
		goesTo[prefix] = name
	}
}

// checkName checks the name of a copy or transfer, which becomes part of a resource's name.
func checkName(f *faults, at, name string) {
	if !resourceName.MatchString(name) {
		f.add(at, "%q is not a name: 1 to 40 lower-case letters, digits and hyphens", name)
	}
}

// checkKey checks an object's key or, when it may be empty, a prefix. The provider
// cleans a destination of leading and doubled slashes but not a source, so that
// such keys would name two different objects.
func checkKey(f *faults, at, key string, required bool) {
	switch {
	case key == "" && required:
		f.add(at, "is missing: the key of an object, as sample/corpus.txt")
	case strings.HasPrefix(key, "s3://"):
		f.add(at, "%q is an address: give the key within the bucket", key)
	case strings.HasPrefix(key, "/") || strings.Contains(key, "//"):
		f.add(at, "%q has a leading or a doubled slash", key)
	case strings.Contains(key, "?versionId="):
		f.add(at, "%q names a version, which S3's copy takes no key for: copies follow the newest version", key)
	case required && strings.HasSuffix(key, "/"):
		f.add(at, "%q is a prefix: list its objects one by one, or use storage.transfers", key)
	case len(key) > 1024: // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
		f.add(at, "has %d bytes, more than S3's 1024", len(key))
	}
}
