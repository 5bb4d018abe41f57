// The etcd server of the local platform, built from its Go module: Debian's package needs root to install.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
