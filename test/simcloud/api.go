package simcloud

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// serveAPI answers the calls that a program makes with an AWS SDK of its own, at AWS_ENDPOINT_URL: of STS,
// AssumeRole and GetCallerIdentity; of S3, HeadObject.
func (c *Cloud) serveAPI(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		c.serveHead(w, strings.TrimPrefix(r.URL.Path, "/"))
		return
	}
	_ = r.ParseForm()
	w.Header().Set("Content-Type", "text/xml")
	switch action := r.Form.Get("Action"); action {
	case "AssumeRole":
		role := r.Form.Get("RoleArn")
		if !c.assumable(role) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"+
				"<Message>User: %s is not authorized to perform: sts:AssumeRole on resource: %s</Message></Error></ErrorResponse>",
				callerARN("aws", ManagementAccount), role)
			return
		}
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>`+
			`<AssumedRoleUser><AssumedRoleId>AROASIMULATED:%[2]s</AssumedRoleId><Arn>%[1]s/%[2]s</Arn></AssumedRoleUser>`+
			`<Credentials><AccessKeyId>ASIASIMULATED</AccessKeyId><SecretAccessKey>simulated</SecretAccessKey>`+
			`<SessionToken>simulated</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>`+
			`</AssumeRoleResult></AssumeRoleResponse>`, role, r.Form.Get("RoleSessionName"))
	case "GetCallerIdentity":
		fmt.Fprintf(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`+
			`<Arn>%s</Arn><UserId>AIDASIMULATED</UserId><Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
			callerARN("aws", ManagementAccount), ManagementAccount)
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code>"+
			"<Message>simcloud answers AssumeRole and GetCallerIdentity, not %q (%s)</Message></Error></ErrorResponse>",
			strings.ToValidUTF8(action, ""), r.Method)
	}
}

// serveHead answers for the object at "bucket/key".
func (c *Cloud) serveHead(w http.ResponseWriter, path string) {
	c.mu.Lock()
	found, ok := c.objects[path]
	c.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", `"`+found.etag+`"`)
	w.Header().Set("Content-Length", strconv.FormatInt(found.size, 10))
}

// assumable counts a call for the role and tells whether it is granted.
func (c *Cloud) assumable(role string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied[role] < c.denyRoles {
		c.denied[role]++
		return false
	}
	return true
}
