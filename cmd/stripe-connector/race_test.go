//go:build race

package main

// The race detector makes SQLite, which is compiled from C to Go, an order of magnitude slower.
const underRace = true
