// Package tracestest is a collector for tests: it takes OTLP over HTTP, and tells what it got.
package tracestest

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// patience bounds a wait for what is sure to come.
const patience = time.Minute

// A Span is one as the collector sees it.
type Span struct {
	Resource map[string]any
	Name     string
	Kind     string // server, client or internal
	Trace    string
	ID       string
	Parent   string
	Links    []string // TRACE/ID
	Failed   bool
	Values   map[string]any // the attributes
}

// At is where a span is, as links have it.
func (s Span) At() string { return s.Trace + "/" + s.ID }

// Traceparent is a span as a header has it.
func (s Span) Traceparent() string { return "00-" + s.Trace + "-" + s.ID + "-01" }

// A Collector listens on loopback until the test ends.
type Collector struct {
	URL string

	mu      sync.Mutex
	header  http.Header // of the last request
	refuse  []int       // statuses of the next answers
	raw     bytes.Buffer
	spans   []Span
	changed chan struct{} // closed and replaced with each batch
}

// New starts a collector.
func New(t *testing.T) *Collector {
	t.Helper()
	c := &Collector{changed: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := c.take(r)
		if err != nil {
			t.Errorf("the collector: %v", err)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// Refuse has the next batches answered with these statuses, and not taken.
func (c *Collector) Refuse(statuses ...int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = statuses
}

func (c *Collector) take(r *http.Request) (status int, err error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return http.StatusBadRequest, err
		}
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return http.StatusBadRequest, err
	}
	var batch otlp.TracesData
	if err := proto.Unmarshal(raw, &batch); err != nil {
		return http.StatusBadRequest, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.refuse) > 0 {
		status, c.refuse = c.refuse[0], c.refuse[1:]
		return status, nil
	}
	c.header = r.Header.Clone()
	c.header.Set("Path", r.URL.Path)
	c.raw.Write(raw)
	for _, from := range batch.GetResourceSpans() {
		for _, scope := range from.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, span(from.GetResource().GetAttributes(), s))
			}
		}
	}
	close(c.changed)
	c.changed = make(chan struct{})
	return http.StatusOK, nil
}

func span(resource []*common.KeyValue, s *otlp.Span) Span {
	kinds := map[otlp.Span_SpanKind]string{
		otlp.Span_SPAN_KIND_SERVER: "server", otlp.Span_SPAN_KIND_CLIENT: "client", otlp.Span_SPAN_KIND_INTERNAL: "internal",
	}
	links := make([]string, len(s.GetLinks()))
	for i, l := range s.GetLinks() {
		links[i] = hex.EncodeToString(l.GetTraceId()) + "/" + hex.EncodeToString(l.GetSpanId())
	}
	return Span{
		Resource: values(resource), Name: s.GetName(), Kind: kinds[s.GetKind()], Trace: hex.EncodeToString(s.GetTraceId()),
		ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()), Links: links,
		Failed: s.GetStatus().GetCode() == otlp.Status_STATUS_CODE_ERROR, Values: values(s.GetAttributes()),
	}
}

func values(list []*common.KeyValue) map[string]any {
	m := make(map[string]any, len(list))
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[kv.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			m[kv.GetKey()] = v.IntValue
		default:
			m[kv.GetKey()] = kv.GetValue().String()
		}
	}
	return m
}

// Header is that of the last batch that was taken, with its Path.
func (c *Collector) Header() http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.header
}

// Raw is all that was sent, in which every text stands as it is.
func (c *Collector) Raw() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.raw.Bytes())
}

// Spans are all that came so far and that match.
func (c *Collector) Spans(match func(Span) bool) []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.matching(match)
}

func (c *Collector) matching(match func(Span) bool) (found []Span) {
	for _, s := range c.spans {
		if match(s) {
			found = append(found, s)
		}
	}
	return found
}

// Wait returns the spans that match as soon as there are n.
func (c *Collector) Wait(t *testing.T, what string, n int, match func(Span) bool) []Span {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		c.mu.Lock()
		found, changed := c.matching(match), c.changed
		c.mu.Unlock()
		if len(found) >= n {
			return found
		}
		select {
		case <-changed:
		case <-end.C:
			t.Fatalf("the collector got %d spans of %s, want %d", len(found), what, n)
		}
	}
}
