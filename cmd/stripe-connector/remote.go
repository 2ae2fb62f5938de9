package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A remote is the running service, for commands that go through it: SQLite lets only one process in.
type remote struct{ base, token string }

func newRemote(url, token string) remote { return remote{strings.TrimRight(url, "/"), token} }

// remoteTimeout bounds one call to the running service.
const remoteTimeout = 30 * time.Second

// do makes one call. in and out are JSON; either may be nil.
func (r remote) do(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	res, err := (&http.Client{}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		var problem struct {
			Detail string `json:"detail"`
			Fields []struct {
				Field   string `json:"field"`
				Message string `json:"message"`
			} `json:"fields"`
		}
		_ = json.NewDecoder(res.Body).Decode(&problem) // whatever it is, the status says enough
		for _, f := range problem.Fields {
			problem.Detail += "; " + f.Field + " " + f.Message
		}
		return fmt.Errorf("the service answered %s: %s", res.Status, problem.Detail)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(out)
}
