// Writes a small vulnerability database for trivy, in the format of trivy-db: trivy.db and metadata.json.
//
// The real database (some 60 MB, a million advisories) is on registries that a closed network does not reach.
// lab/advisories.json has a few published advisories of it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/metadata"
	"github.com/aquasecurity/trivy-db/pkg/types"
	bolt "go.etcd.io/bbolt"
)

type advisory struct {
	ID         string   `json:"id"`
	GHSA       string   `json:"ghsa"`
	Ecosystem  string   `json:"ecosystem"`
	Package    string   `json:"package"`
	Vulnerable []string `json:"vulnerable"`
	Patched    []string `json:"patched"`
	Severity   string   `json:"severity"`
	Title      string   `json:"title"`
	CWE        []string `json:"cwe"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: trivy-db ADVISORIES.json FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(source, folder string) error {
	text, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	var advisories []advisory
	if err := json.Unmarshal(text, &advisories); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	if err := db.Init(folder); err != nil {
		return err
	}
	defer db.Close()
	client := db.Config{}
	err = client.BatchUpdate(func(tx *bolt.Tx) error {
		for _, each := range advisories {
			if err := put(client, tx, each); err != nil {
				return fmt.Errorf("%s: %w", each.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := client.BatchUpdate(func(tx *bolt.Tx) error {
		for _, each := range advisories {
			if err := client.SaveAdvisoryDetails(tx, each.ID); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := client.DeleteAdvisoryDetailBucket(); err != nil {
		return err
	}
	now := time.Now().UTC()
	return metadata.NewClient(folder).Update(metadata.Metadata{
		Version:    db.SchemaVersion,
		UpdatedAt:  now,
		NextUpdate: now.Add(24 * time.Hour),
	})
}

func put(client db.Config, tx *bolt.Tx, each advisory) error {
	severity, err := types.NewSeverity(each.Severity)
	if err != nil {
		return err
	}
	bucket := each.Ecosystem + "::GitHub Security Advisory " + each.Ecosystem
	if err := client.PutDataSource(tx, bucket, types.DataSource{
		ID:   "ghsa",
		Name: "GitHub Security Advisory " + each.Ecosystem,
		URL:  "https://github.com/advisories?query=type%3Areviewed+ecosystem%3A" + each.Ecosystem,
	}); err != nil {
		return err
	}
	if err := client.PutAdvisoryDetail(tx, each.ID, each.Package, []string{bucket}, &types.Advisory{
		VendorIDs:          []string{each.GHSA},
		VulnerableVersions: each.Vulnerable,
		PatchedVersions:    each.Patched,
	}); err != nil {
		return err
	}
	return client.PutVulnerability(tx, each.ID, types.Vulnerability{
		Title:          each.Title,
		Severity:       each.Severity,
		VendorSeverity: types.VendorSeverity{"ghsa": severity},
		CweIDs:         each.CWE,
		References:     []string{"https://github.com/advisories/" + each.GHSA},
	})
}
