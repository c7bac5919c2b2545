package e2e

import (
	"testing"

	"github.com/postroom/postroom/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, stopBrowser) }
