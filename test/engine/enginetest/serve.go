package enginetest

import (
	"context"

	"llm-platform/test/engine"
	"llm-platform/test/simcloud"
)

// Serve starts a cloud and opens a stack of the repository against it, without a test. stop closes both.
func Serve(cloud *simcloud.Cloud, options engine.Options) (s *engine.Stack, stop func(), err error) {
	if options.Project, err = Repository(); err != nil {
		return nil, nil, err
	}
	if options.Tools, err = tools(); err != nil {
		return nil, nil, err
	}
	stopCloud, err := cloud.Start()
	if err != nil {
		return nil, nil, err
	}
	options.Env = cloud.Env()
	if s, err = engine.Open(context.Background(), options); err != nil {
		stopCloud()
		return nil, nil, err
	}
	return s, func() { _ = s.Close(); stopCloud() }, nil
}
