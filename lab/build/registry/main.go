// The image registry behind the stand-in Harbor: the real one, with the one storage and the one kind of authentication
// the local platform uses, so that no cloud vendor's kit is compiled.
package main

import (
	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	_ = registry.RootCmd.Execute()
}
