// Command parcel serves the price of a parcel.
package main

import (
	"log"
	"net/http"
	"time"

	"example.fr/parcel/price"
)

func main() {
	tariff, err := price.Read("tariff.yaml")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: ":8080", Handler: service(tariff), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
