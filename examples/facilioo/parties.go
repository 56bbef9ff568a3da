package main

import (
	"maps"
	"slices"
	"strconv"

	"github.com/gatehouse-go/gatehouse/claims"
)

// The party types of the system, as tokens hold them: the kind of account, which
// decides what it reaches. Guards name them, as in
// guard.Only(PropertyManagementCompany, Admin).
const (
	Admin                     claims.Party = "1"
	PropertyManagementCompany claims.Party = "2"
	PoolManager               claims.Party = "3"
	Contractor                claims.Party = "5"
	User                      claims.Party = "7"
	EnergyProvider            claims.Party = "10"
	Guest                     claims.Party = "11"
	InsuranceBroker           claims.Party = "13"
	Insurer                   claims.Party = "14"
	Mediator                  claims.Party = "15"
)

var partyNames = map[string]claims.Party{
	"Admin": Admin, "PropertyManagementCompany": PropertyManagementCompany, "PoolManager": PoolManager,
	"Contractor": Contractor, "User": User, "EnergyProvider": EnergyProvider, "Guest": Guest,
	"InsuranceBroker": InsuranceBroker, "Insurer": Insurer, "Mediator": Mediator,
}

// partyOf reads the name or the number of a party type.
func partyOf(text string) (p claims.Party, known bool) {
	if p, known = partyNames[text]; known {
		return p, true
	}
	return claims.Party(text), isParty(claims.Party(text))
}

func isParty(p claims.Party) bool {
	return slices.Contains(slices.Collect(maps.Values(partyNames)), p)
}

// number is how answers write a party type.
func number(p claims.Party) int {
	n, _ := strconv.Atoi(string(p)) // all are numbers
	return n
}
