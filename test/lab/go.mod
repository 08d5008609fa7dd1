// The lab needs the standard library only: the modules of the tests that use it have dependencies enough.
module llm-platform/test/lab

go 1.25.11
