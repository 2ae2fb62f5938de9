package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
)

//go:embed assets
var files embed.FS

// A view is what the layout and the page get.
type view struct {
	Title string
	Page  string
	Path  string // with the query, to come back to
	Theme string
	CSRF  string
	Role  string // of the person; empty on public pages
	Space string
	May   bool // manage
	Flash *flash
	Now   time.Time
}

// A content is what a page shows below its layout.
type content interface{ content(v view) templ.Component }

func (v *visit) view() view {
	out := view{Path: v.r.URL.RequestURI(), Now: v.Now()}
	if v.r.Method != http.MethodGet {
		out.Path = v.r.URL.Path
	}
	if cookie, err := v.r.Cookie(cookieTheme); err == nil && (cookie.Value == "light" || cookie.Value == "dark") {
		out.Theme = cookie.Value
	}
	if v.session != nil {
		out.CSRF, out.Role, out.Space = v.session.CSRF, string(v.caller.Role), v.caller.Workspace
		out.May = v.caller.Role.Allows("manage")
	}
	return out
}

// show answers with a whole page, or with its content alone if a script asks.
func (v *visit) show(status int, page, title string, shown content) {
	out := v.view()
	out.Page, out.Title = page, title
	if v.session != nil {
		out.Flash = v.said()
	}
	body := shown.content(out)
	if !v.htmx() {
		body = layout(out, body)
	}
	v.write(status, body)
}

// part answers with a part of a page, for a script.
func (v *visit) part(c templ.Component) error {
	v.write(http.StatusOK, c)
	return nil
}

func (v *visit) write(status int, c templ.Component) {
	var buf bytes.Buffer
	// Whether somebody still waits for it makes no difference: it is a matter of a millisecond.
	if err := c.Render(context.WithoutCancel(v.r.Context()), &buf); err != nil {
		v.Log.Error().Err(err).Str("page", v.r.Pattern).Msg("console page failed")
		http.Error(v.w, "The console failed; the log has the reason.", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Add("Vary", "HX-Request")
	v.w.WriteHeader(status)
	_, _ = buf.WriteTo(v.w)
}

const assetPath = "/console/assets/"

// assetURL changes with the file's content, so that browsers may keep it for ever.
func assetURL(name string) (string, error) {
	hash, ok := assetHashes()[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return assetPath + name + "?" + hash, nil
}

// assetHashes are counted when the first page is shown.
var assetHashes = sync.OnceValue(func() map[string]string {
	hashes := make(map[string]string)
	names, _ := fs.Glob(files, "assets/*") // the pattern is a constant
	for _, name := range names {
		content, _ := files.ReadFile(name) // which is embedded
		sum := sha256.Sum256(content)
		hashes[path.Base(name)] = hex.EncodeToString(sum[:6])
	}
	return hashes
})

func (c *console) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	content, err := files.ReadFile("assets/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(content) //nolint:gosec // a file of ours, embedded
}

// ago is a moment as people say it, before or after now.
func ago(at, now time.Time) string {
	d := now.Sub(at)
	format := "%s ago"
	if d < 0 {
		d, format = -d, "in %s"
	}
	switch {
	case d < 2*time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf(format, strconv.Itoa(int(d.Seconds()))+" s")
	case d < time.Hour:
		return fmt.Sprintf(format, strconv.Itoa(int(d.Minutes()))+" min")
	case d < 48*time.Hour:
		return fmt.Sprintf(format, strconv.Itoa(int(d.Hours()))+" h")
	default:
		return fmt.Sprintf(format, strconv.Itoa(int(d.Hours()/24))+" days")
	}
}

func clock(at time.Time) string { return at.UTC().Format(time.DateTime) }

// moment is a time without its day, if that is today.
func moment(at, now time.Time) string {
	if at.UTC().Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return at.UTC().Format(time.TimeOnly)
	}
	return clock(at)
}

// status is a status of HTTP with its words.
func status(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

func words(s string) string { return strings.ReplaceAll(s, "_", " ") }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// count is a number with a comma after every three digits.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short cuts a text for a line of a table.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

func milliseconds(ms float64) string {
	switch {
	case ms < 1:
		return "<1 ms"
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	case ms < 120_000:
		return strconv.FormatFloat(ms/1000, 'f', 1, 64) + " s"
	default:
		return strconv.FormatFloat(ms/60_000, 'f', 0, 64) + " min"
	}
}

// query is a query string of names and values in turn; empty ones are left out.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// tone is the colour of a state: good, bad, wait or quiet.
func tone(state string) string {
	switch state {
	case "active", "delivered", "enabled", "done":
		return "good"
	case "dead", "disabled", "failing", "refused", "failed":
		return "bad"
	case "pending", "paused", "running":
		return "wait"
	default:
		return "quiet"
	}
}

// why says the API's reasons as sentences. Others are sentences already.
func why(reason string) string {
	switch reason {
	case "type_not_wanted":
		return "it did not ask for this type when the event arrived"
	case "attached_later":
		return "it was attached after the event happened"
	case "paused":
		return "it is paused; the delivery waits"
	case "disabled":
		return "it is disabled"
	case "detached":
		return "it was detached before"
	default:
		return reason
	}
}

// elementID is a field's path as an id of the page.
func elementID(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '.', '[', ']', '*':
			return '-'
		default:
			return r
		}
	}, name)
}
