package httpapi

import (
	"errors"
	"net/http"
	"time"

	"stripe-connector/internal/connection"
	"stripe-connector/internal/store"
)

// An operationsView is where a workspace is told of what needs a person.
type operationsView struct {
	ID            string    `json:"id"`
	URL           string    `json:"url"`
	Created       time.Time `json:"created"`
	SigningSecret string    `json:"signing_secret,omitempty"` // shown once
}

func viewOperations(u store.OperationsURL, secret string) operationsView {
	return operationsView{u.ID, u.URL, u.Created.UTC(), secret}
}

func (s *server) getOperations(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	found, err := s.Operations.URL(r.Context(), caller.Workspace)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, viewOperations(found, ""))
	return nil
}

// setOperations makes the URL or changes it; the signing secret is shown when it is made.
func (s *server) setOperations(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	var in struct {
		URL string `json:"url"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	set, secret, err := s.Operations.SetURL(r.Context(), caller.Workspace, in.URL)
	if err != nil {
		return err
	}
	did(w, "", set.ID)
	status := http.StatusOK
	if secret != "" {
		status = http.StatusCreated
	}
	writeJSON(w, status, viewOperations(set, secret))
	return nil
}

// removeOperations answers the same whether there was one or not: the caller wants it gone.
func (s *server) removeOperations(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	id, err := s.Operations.RemoveURL(r.Context(), caller.Workspace)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	did(w, "", id)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) rotateOperationsSecret(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	rotated, secret, err := s.Operations.RotateSecret(r.Context(), caller.Workspace)
	if err != nil {
		return err
	}
	did(w, "", rotated.ID)
	writeJSON(w, http.StatusOK, viewOperations(rotated, secret))
	return nil
}

func (s *server) testOperations(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	found, err := s.Operations.URL(r.Context(), caller.Workspace)
	if err != nil {
		return err
	}
	trial, err := s.Operations.Test(r.Context(), found)
	if err != nil {
		return err
	}
	did(w, "", found.ID)
	writeTrial(w, trial)
	return nil
}
