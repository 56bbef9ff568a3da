module github.com/gatehouse-go/gatehouse/examples/providers

go 1.26.0

require (
	github.com/gatehouse-go/gatehouse v0.0.0
	github.com/go-jose/go-jose/v4 v4.1.9
	github.com/golang-jwt/jwt/v5 v5.3.1
)

require (
	github.com/MicahParks/jwkset v0.11.4 // indirect
	github.com/MicahParks/keyfunc/v3 v3.9.2 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace github.com/gatehouse-go/gatehouse => ../..
