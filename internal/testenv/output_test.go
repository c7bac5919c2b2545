package testenv_test

import (
	"io"
	"testing"
)

// outputTo is a test whose output goes elsewhere.
type outputTo struct {
	testing.TB
	output io.Writer
}

func (o outputTo) Output() io.Writer { return o.output }
