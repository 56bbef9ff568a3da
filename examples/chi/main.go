// Chi is the API of examples/stdlib on a chi router.
//
//	cd examples/chi && go run . -addr 127.0.0.1:8080
package main

import (
	"os"

	"github.com/gatehouse-go/gatehouse/examples/chi/server"
	"github.com/gatehouse-go/gatehouse/examples/stdlib/gate"
)

func main() { gate.Main(os.Args[1:], server.New) }
