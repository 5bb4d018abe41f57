package price

import (
	"os"
	"path/filepath"
	"testing"
)

func tariff(t *testing.T) Tariff {
	t.Helper()
	read, err := Read("../tariff.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestPriceFollowsTheWeight(t *testing.T) {
	for grams, cents := range map[int]int{1: 525, 250: 525, 251: 725, 5000: 1590, 5001: 1730} {
		if found, err := tariff(t).Of(grams, false); err != nil || found != cents {
			t.Errorf("%d g: %d cents, %v", grams, found, err)
		}
	}
}

func TestExpressCostsMore(t *testing.T) {
	if found, err := tariff(t).Of(100, true); err != nil || found != 1125 {
		t.Errorf("%d cents, %v", found, err)
	}
}

func TestAWeightOutOfRangeIsRefused(t *testing.T) {
	for _, grams := range []int{0, -1, 30001} {
		if _, err := tariff(t).Of(grams, false); err == nil {
			t.Errorf("%d g have a price", grams)
		}
	}
}

func TestATariffWithoutStepsIsRefused(t *testing.T) {
	for _, text := range []string{"steps: []", "steps: {", ""} {
		path := filepath.Join(t.TempDir(), "tariff.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil {
			t.Errorf("%q is a tariff", text)
		}
	}
	if _, err := Read("missing.yaml"); err == nil {
		t.Error("a missing file is a tariff")
	}
}
