// Echo is the API of examples/stdlib on echo.
//
//	cd examples/echo && go run . -addr 127.0.0.1:8080
package main

import (
	"os"

	"github.com/gatehouse-go/gatehouse/examples/echo/server"
	"github.com/gatehouse-go/gatehouse/examples/stdlib/gate"
)

func main() { gate.Main(os.Args[1:], server.New) }
