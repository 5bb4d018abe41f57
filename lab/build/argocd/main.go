// The parts of Argo CD that deploy, the program that gives Git its credentials, and a Redis server in memory for them.
// Argo CD's own program has all its commands, and a web interface that no test uses.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	appset "github.com/argoproj/argo-cd/v3/cmd/argocd-applicationset-controller/commands"
	askpass "github.com/argoproj/argo-cd/v3/cmd/argocd-git-ask-pass/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/argoproj/argo-cd/v3/common"
	"github.com/spf13/cobra"
)

// The variable is Argo CD's own: the repository server starts its program "argocd" with it, as GIT_ASKPASS.
const nameVariable = "ARGOCD_BINARY_NAME"

func main() {
	name := filepath.Base(os.Args[0])
	if value := os.Getenv(nameVariable); value != "" {
		name = value
	}
	var command *cobra.Command
	switch name {
	case common.CommandApplicationController:
		command = controller.NewCommand()
	case common.CommandApplicationSetController:
		command = appset.NewCommand()
	case common.CommandRepoServer:
		command = reposerver.NewCommand()
	case common.CommandGitAskPass:
		command = askpass.NewCommand()
	case "redis":
		command = redis()
	default:
		fmt.Fprintln(os.Stderr, "set "+nameVariable+" to the name of a command of Argo CD, or to redis")
		os.Exit(2)
	}
	if err := command.Execute(); err != nil {
		os.Exit(1)
	}
}

func redis() *cobra.Command {
	return &cobra.Command{Use: "redis ADDRESS", Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		server := miniredis.NewMiniRedis()
		if err := server.StartAddr(args[0]); err != nil {
			return err
		}
		defer server.Close()
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
		<-ended
		return nil
	}}
}
