package main

import (
	"encoding/json"
	"net/http"
	"strconv"

	"example.fr/parcel/price"
)

// service answers GET /price?grams=1200 with JSON.
func service(tariff price.Tariff) http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"status": "ok"})
	})
	routes.HandleFunc("GET /price", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		grams, err := strconv.Atoi(query.Get("grams"))
		if err != nil {
			reply(w, http.StatusBadRequest, map[string]any{"error": "grams is a whole number"})
			return
		}
		cents, err := tariff.Of(grams, query.Has("express"))
		if err != nil {
			reply(w, http.StatusBadRequest, map[string]any{"error": err.Error()})
			return
		}
		reply(w, http.StatusOK, map[string]any{"cents": cents})
	})
	return routes
}

func reply(w http.ResponseWriter, status int, content map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(content)
}
