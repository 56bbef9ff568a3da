// Stdlib is the API of this folder's README on a net/http mux.
//
//	go run ./examples/stdlib -addr 127.0.0.1:8080
package main

import (
	"os"

	"github.com/gatehouse-go/gatehouse/examples/stdlib/gate"
	"github.com/gatehouse-go/gatehouse/examples/stdlib/server"
)

func main() { gate.Main(os.Args[1:], server.New) }
