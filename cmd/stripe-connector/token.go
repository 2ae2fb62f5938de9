package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/config"
	"stripe-connector/internal/connection"
	"stripe-connector/internal/store"
)

const tokenUsage = `Usage: stripe-connector token create --workspace NAME --role run|manage|admin [--name TEXT]
       stripe-connector token list   --workspace NAME
       stripe-connector token revoke --workspace NAME ID

They open the store themselves, which SQLite allows only while serve is stopped. With --url and --token they go through
the running service instead, in the workspace of that token.
`

// tokenFlags are what the three have in common.
type tokenFlags struct {
	*flag.FlagSet
	workspace, role, name, url, token string
}

// token creates, lists and revokes API tokens. A new token is printed alone, so that a script can take it.
func token(ctx context.Context, in invocation) error {
	if len(in.args) == 0 {
		fmt.Fprint(in.stderr, tokenUsage)
		return errUsage
	}
	verb := in.args[0]
	f := tokenFlags{FlagSet: in.flags("token " + verb)}
	f.StringVar(&f.workspace, "workspace", connection.DefaultWorkspace, "workspace of the token; made if it is new")
	f.StringVar(&f.url, "url", "", "base URL of the running service to go through")
	f.StringVar(&f.token, "token", os.Getenv("CONNECTOR_TOKEN"), "admin token for --url")
	if verb == "create" {
		f.StringVar(&f.role, "role", string(connection.RoleRun), "run, manage or admin")
		f.StringVar(&f.name, "name", "", "what the token is for")
	}
	if err := f.Parse(in.args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	wants, known := map[string]int{"create": 0, "list": 0, "revoke": 1}[verb]
	if !known || f.NArg() != wants {
		fmt.Fprint(in.stderr, tokenUsage)
		return errUsage
	}
	var tokens tokenStore
	if f.url != "" {
		tokens = remoteTokens{newRemote(f.url, f.token)}
	} else {
		cfg, err := config.Load()
		if err != nil {
			return err
		}
		db, _, err := openStore(ctx, cfg, newLog(cfg, in))
		if err != nil {
			return err
		}
		defer db.Close()
		tokens = localTokens{connection.NewTokens(db, time.Now, zerolog.Nop()), db, f.workspace}
	}
	switch verb {
	case "create":
		made, err := tokens.create(ctx, connection.Role(f.role), f.name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(in.stdout, made)
		return err
	case "list":
		return printTokens(ctx, in.stdout, tokens)
	default:
		return tokens.revoke(ctx, f.Arg(0))
	}
}

// A tokenStore is where tokens are: in the store that this process opens, or behind the running service.
type tokenStore interface {
	create(ctx context.Context, role connection.Role, name string) (token string, err error)
	list(ctx context.Context, cursor string) (views []connection.TokenView, next string, err error)
	revoke(ctx context.Context, id string) error
}

func printTokens(ctx context.Context, out io.Writer, tokens tokenStore) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tWORKSPACE\tROLE\tPREFIX\tLAST USED\tNAME")
	for cursor := ""; ; {
		views, next, err := tokens.list(ctx, cursor)
		if err != nil {
			return err
		}
		for _, v := range views {
			used := "never"
			if v.LastUsed != nil {
				used = v.LastUsed.Format(time.DateTime)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s…\t%s\t%s\n", v.ID, v.Workspace, v.Role, v.Prefix, used, v.Name)
		}
		if cursor = next; cursor == "" {
			return table.Flush()
		}
	}
}

type localTokens struct {
	*connection.Tokens
	audit     store.Audit
	workspace string
}

// note adds to the audit trail what was done without a token.
func (l localTokens) note(ctx context.Context, action, subject string) error {
	now := time.Now()
	return l.audit.Note(ctx, store.Deed{
		ID: store.NewID(store.PrefixDeed, now), Workspace: l.workspace, Action: action, Subject: subject, Created: now.UTC().Truncate(time.Microsecond),
	})
}

func (l localTokens) create(ctx context.Context, role connection.Role, name string) (string, error) {
	view, made, err := l.Create(ctx, l.workspace, role, name)
	if err != nil {
		return "", err
	}
	return made, l.note(ctx, "token.create", view.ID)
}

func (l localTokens) list(ctx context.Context, cursor string) ([]connection.TokenView, string, error) {
	page, err := l.List(ctx, l.workspace, store.Page{Cursor: cursor})
	return page.Data, page.Next, err
}

func (l localTokens) revoke(ctx context.Context, id string) error {
	if err := l.Revoke(ctx, l.workspace, id); err != nil {
		return err
	}
	return l.note(ctx, "token.delete", id)
}

type remoteTokens struct{ remote }

func (r remoteTokens) create(ctx context.Context, role connection.Role, name string) (string, error) {
	var made struct {
		Token string `json:"token"`
	}
	err := r.do(ctx, http.MethodPost, "/v1/tokens", map[string]string{"role": string(role), "name": name}, &made)
	return made.Token, err
}

func (r remoteTokens) list(ctx context.Context, cursor string) ([]connection.TokenView, string, error) {
	var page struct {
		Data []connection.TokenView `json:"data"`
		Next string                 `json:"next_cursor"`
	}
	err := r.do(ctx, http.MethodGet, "/v1/tokens?cursor="+url.QueryEscape(cursor), nil, &page)
	return page.Data, page.Next, err
}

func (r remoteTokens) revoke(ctx context.Context, id string) error {
	return r.do(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(id), nil, nil)
}
