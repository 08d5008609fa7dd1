package enginetest

import (
	"cmp"
	"context"

	"llm-platform/test/engine"
	"llm-platform/test/simcloud"
)

// Serve starts a cloud and opens a stack of the repository against it, without a test. stop closes both.
// Project, Tools and Env are set here, but for another program in Tools.
func Serve(cloud *simcloud.Cloud, options engine.Options) (s *engine.Stack, stop func(), err error) {
	if options.Project, err = Repository(); err != nil {
		return nil, nil, err
	}
	program := options.Tools.Program
	if options.Tools, err = tools(); err != nil {
		return nil, nil, err
	}
	options.Tools.Program = cmp.Or(program, options.Tools.Program)
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
