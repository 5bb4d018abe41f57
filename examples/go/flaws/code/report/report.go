// Package report has the size of a folder that the caller names.
package report

import "os/exec"

// Size returns what du prints.
func Size(folder string) ([]byte, error) {
	return exec.Command("sh", "-c", "du -s "+folder).Output()
}
