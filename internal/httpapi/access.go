package httpapi

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"stripe-connector/internal/connection"
)

func (s *server) listConnections(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	q := query{r: r}
	page := q.page()
	if err := q.err(); err != nil {
		return err
	}
	found, err := s.Connections.List(r.Context(), caller.Workspace, page)
	if err != nil {
		return err
	}
	writeList(w, found, func(v connection.View) connection.View { return v })
	return nil
}

func (s *server) createConnection(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	var in connection.Input
	if err := readJSON(r, &in); err != nil {
		return err
	}
	made, err := s.Connections.Create(r.Context(), caller.Workspace, in)
	if err != nil {
		return err
	}
	did(w, "connection.create", made.ID)
	w.Header().Set("Location", "/v1/connections/"+made.ID)
	writeJSON(w, http.StatusCreated, made)
	return nil
}

// show makes a handler of something that is done with one connection and answers it.
func show(do func(ctx context.Context, workspace, id string) (connection.View, error)) func(http.ResponseWriter, *http.Request, connection.Caller) error {
	return func(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
		v, err := do(r.Context(), caller.Workspace, chi.URLParam(r, "id"))
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, v)
		return nil
	}
}

func (s *server) updateConnection(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	var change connection.Change
	if err := readJSON(r, &change); err != nil {
		return err
	}
	return show(func(ctx context.Context, workspace, id string) (connection.View, error) {
		return s.Connections.Update(ctx, workspace, id, change)
	})(w, r, caller)
}

func (s *server) deleteConnection(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	id := chi.URLParam(r, "id")
	if err := s.Webhooks.Release(r.Context(), caller.Workspace, id); err != nil {
		return err
	}
	if err := s.Connections.Delete(r.Context(), caller.Workspace, id); err != nil {
		return inUse(err, "Webhooks use this connection; detach them first.")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) listTokens(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	q := query{r: r}
	page := q.page()
	if err := q.err(); err != nil {
		return err
	}
	found, err := s.Tokens.List(r.Context(), caller.Workspace, page)
	if err != nil {
		return err
	}
	writeList(w, found, func(v connection.TokenView) connection.TokenView { return v })
	return nil
}

// createToken makes a token of the caller's workspace; the token itself is shown this once.
func (s *server) createToken(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	var in struct {
		Role connection.Role `json:"role"`
		Name string          `json:"name"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	made, token, err := s.Tokens.Create(r.Context(), caller.Workspace, in.Role, in.Name)
	if err != nil {
		return err
	}
	did(w, "token.create", made.ID)
	writeJSON(w, http.StatusCreated, struct {
		connection.TokenView
		Token string `json:"token"`
	}{made, token})
	return nil
}

func (s *server) revokeToken(w http.ResponseWriter, r *http.Request, caller connection.Caller) error {
	if err := s.Tokens.Revoke(r.Context(), caller.Workspace, chi.URLParam(r, "id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// health says that the process serves.
func (s *server) health(w http.ResponseWriter, _ *http.Request, _ connection.Caller) error {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// ready says that requests can be taken: the store is there, and nobody is shutting down.
func (s *server) ready(w http.ResponseWriter, r *http.Request, _ connection.Caller) error {
	if err := s.Ready(r.Context()); err != nil {
		p := refuse(http.StatusServiceUnavailable, "Not ready", "The service cannot take requests now.")
		p.retryAfter = later
		return p
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	return nil
}
