// Gin is the API of examples/stdlib on a gin engine.
//
//	cd examples/gin && go run . -addr 127.0.0.1:8080
package main

import (
	"os"

	"github.com/gatehouse-go/gatehouse/examples/gin/server"
	"github.com/gatehouse-go/gatehouse/examples/stdlib/gate"
)

func main() { gate.Main(os.Args[1:], server.New) }
