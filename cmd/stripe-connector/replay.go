package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/config"
	"stripe-connector/internal/connection"
	"stripe-connector/webhooks"
)

// replay makes stored events of a time range due for a webhook again. The running service sends them; with --url it also
// does the rest, else this process opens the store itself, which SQLite allows only while serve is stopped.
func replay(ctx context.Context, in invocation) error {
	set := in.flags("replay")
	id := set.String("webhook", "", "id of the webhook, whk_…")
	from := moment(set, "from", "events that Stripe created from this moment on (RFC 3339)")
	to := moment(set, "to", "and before this one (RFC 3339; default now)")
	types := set.String("types", "", "event types, comma-separated (default what the webhook wants)")
	workspace := set.String("workspace", connection.DefaultWorkspace, "workspace of the webhook")
	service := set.String("url", "", "base URL of the running service to go through")
	token := set.String("token", os.Getenv("CONNECTOR_TOKEN"), "token for --url, of the role manage")
	if err := in.parse(set); err != nil {
		return err
	}
	if *id == "" || from.IsZero() {
		fmt.Fprintf(in.stderr, "%s: --webhook and --from must be given\n", set.Name())
		return errUsage
	}
	span := webhooks.Range{From: *from, To: *to}
	if *types != "" {
		span.Types = strings.Split(*types, ",")
	}
	progress := func(queued int) { fmt.Fprintf(in.stdout, "\r%d deliveries queued", queued) }
	defer fmt.Fprintln(in.stdout)
	if *service != "" {
		return replayThrough(ctx, newRemote(*service, *token), *id, span, progress)
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	db, ring, err := openStore(ctx, cfg, newLog(cfg, in))
	if err != nil {
		return err
	}
	defer db.Close()
	hooks := webhooks.NewService(webhooks.ServiceConfig{Store: db, Secrets: ring, Now: time.Now, Log: zerolog.Nop()})
	defer hooks.Close()
	return hooks.ReplayNow(ctx, *workspace, *id, span, progress)
}

// moment is a flag for a point in time.
func moment(set *flag.FlagSet, name, usage string) *time.Time {
	t := new(time.Time)
	set.Func(name, usage, func(text string) (err error) {
		*t, err = time.Parse(time.RFC3339, text)
		return err
	})
	return t
}

// replayThrough asks the running service and watches the job that it makes of it.
func replayThrough(ctx context.Context, r remote, id string, span webhooks.Range, progress func(int)) error {
	var job struct {
		ID     string            `json:"id"`
		State  webhooks.JobState `json:"state"`
		Queued int               `json:"queued"`
		Error  string            `json:"error"`
	}
	in := map[string]any{"from": span.From}
	if !span.To.IsZero() {
		in["to"] = span.To
	}
	if len(span.Types) > 0 {
		in["types"] = span.Types
	}
	if err := r.do(ctx, http.MethodPost, "/v1/webhooks/"+url.PathEscape(id)+"/replay", in, &job); err != nil {
		return err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		progress(job.Queued)
		switch job.State {
		case webhooks.JobDone:
			return nil
		case webhooks.JobFailed:
			return errors.New(job.Error)
		case webhooks.JobRunning:
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := r.do(ctx, http.MethodGet, "/v1/jobs/"+job.ID, nil, &job); err != nil {
			return err
		}
	}
}
