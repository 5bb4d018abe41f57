package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.fr/parcel/price"
)

func TestAnswers(t *testing.T) {
	tariff, err := price.Read("tariff.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		method, target, body string
		status               int
	}{
		{"GET", "/health", `"ok"`, http.StatusOK},
		{"GET", "/price?grams=300&express", `"cents":1325`, http.StatusOK},
		{"GET", "/price?grams=many", `whole number`, http.StatusBadRequest},
		{"GET", "/price?grams=0", `1 to 30000`, http.StatusBadRequest},
		{"POST", "/price?grams=300", ``, http.StatusMethodNotAllowed},
		{"GET", "/other", ``, http.StatusNotFound},
	}
	for _, one := range cases {
		answer := httptest.NewRecorder()
		service(tariff).ServeHTTP(answer, httptest.NewRequest(one.method, one.target, nil))
		if answer.Code != one.status || !strings.Contains(answer.Body.String(), one.body) {
			t.Errorf("%s %s: %d %s", one.method, one.target, answer.Code, answer.Body)
		}
	}
}
