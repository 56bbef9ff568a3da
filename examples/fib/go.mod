module github.com/gatehouse-go/gatehouse/examples/fib

go 1.26.0

require github.com/gatehouse-go/gatehouse v0.0.0

require (
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	golang.org/x/crypto v0.58.0
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace github.com/gatehouse-go/gatehouse => ../..
