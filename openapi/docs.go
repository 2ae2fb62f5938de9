package openapi

import (
	"net/http"

	"stripe-connector/internal/spec"
)

// Docs x.
func Docs(c *spec.Catalogue) http.Handler { return http.NotFoundHandler() }
