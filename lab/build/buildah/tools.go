//go:build tools

package tools

import _ "go.podman.io/buildah/cmd/buildah"
