// Package price computes the price of a parcel.
package price

import (
	"fmt"
	"os"

	"gopkg.in/yaml.v3"
)

const heaviest = 30000

// Tariff has the prices in cents: of each step of weight, of each further kilogram, and the extra price of express.
type Tariff struct {
	Steps []struct {
		Grams int `yaml:"grams"`
		Cents int `yaml:"cents"`
	} `yaml:"steps"`
	Kilogram int `yaml:"kilogram"`
	Express  int `yaml:"express"`
}

// Read returns the tariff of a file.
func Read(path string) (Tariff, error) {
	var tariff Tariff
	content, err := os.ReadFile(path)
	if err != nil {
		return tariff, err
	}
	if err := yaml.Unmarshal(content, &tariff); err != nil {
		return tariff, err
	}
	if len(tariff.Steps) == 0 {
		return tariff, fmt.Errorf("%s has no steps", path)
	}
	return tariff, nil
}

// Of returns the price of a parcel of 1 g to 30 kg.
func (t Tariff) Of(grams int, express bool) (int, error) {
	if grams < 1 || grams > heaviest {
		return 0, fmt.Errorf("a parcel weighs 1 to %d grams", heaviest)
	}
	extra := 0
	if express {
		extra = t.Express
	}
	for _, step := range t.Steps {
		if grams <= step.Grams {
			return step.Cents + extra, nil
		}
	}
	last := t.Steps[len(t.Steps)-1]
	return last.Cents + (grams-last.Grams+999)/1000*t.Kilogram + extra, nil
}
