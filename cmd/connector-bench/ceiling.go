package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stripe/stripe-go/v79/webhook"
)

// The ceilings are the least that could do the same work on this machine. They run as processes of their own, since the
// connector does too.

// proxy passes calls on to Stripe and does nothing else.
func proxy(ctx context.Context, listen, stripe string) error {
	target, err := url.Parse(stripe)
	if err != nil {
		return err
	}
	p := httputil.NewSingleHostReverseProxy(target)
	p.Transport = transport()
	return answer(ctx, listen, p)
}

// forward verifies events, acknowledges them and posts them, signed, to each target, from memory: what is not delivered
// when it ends is lost. Like the connector it has sixteen attempts under way for a target.
func forward(ctx context.Context, listen, secret, signing string, targets []string) error {
	const lane = 16
	signer, err := standardwebhooks.NewWebhook(signing)
	if err != nil {
		return err
	}
	client := transport()
	lanes := make([]*memory, len(targets))
	for i, target := range targets {
		lanes[i] = newMemory()
		for range lane {
			go func() { // ends with the process
				for {
					event := lanes[i].take()
					if err := post(ctx, client, signer, target, event); err != nil {
						fmt.Fprintln(os.Stderr, "forwarding:", err)
					}
				}
			}()
		}
	}
	return answer(ctx, listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = webhook.ValidatePayload(body, r.Header.Get("Stripe-Signature"), secret)
		}
		if err != nil {
			http.Error(w, "not Stripe's", http.StatusBadRequest)
			return
		}
		for _, l := range lanes {
			l.put(body)
		}
		_, _ = io.WriteString(w, "{}") // who has gone does not miss it
	}))
}

func post(ctx context.Context, client http.RoundTripper, signer *standardwebhooks.Webhook, target string, body []byte) error {
	var event struct{ ID string }
	if err := json.Unmarshal(body, &event); err != nil {
		return err
	}
	now := time.Now()
	signature, err := signer.Sign(event.ID, now, body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(standardwebhooks.HeaderWebhookID, event.ID)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	_, err = fetch(client, r)
	return err
}

// A memory is a queue without an end.
type memory struct {
	mu     sync.Mutex
	filled *sync.Cond
	events [][]byte
}

func newMemory() *memory {
	m := new(memory)
	m.filled = sync.NewCond(&m.mu)
	return m
}

func (m *memory) put(event []byte) {
	m.mu.Lock()
	m.events = append(m.events, event)
	m.mu.Unlock()
	m.filled.Signal()
}

func (m *memory) take() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.events) == 0 {
		m.filled.Wait()
	}
	event := m.events[0]
	m.events = m.events[1:]
	return event
}

// answer serves until the context is done. It is ready as soon as it listens.
func answer(ctx context.Context, listen string, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/", handler)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// transport keeps as many connections alive as there are workers.
func transport() *http.Transport {
	return &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 512, DisableCompression: true}
}

// syncs is how often a second a page can be appended to a file and brought to the disk, one after the other.
func syncs(dir string, length time.Duration) (perSecond float64, err error) {
	file, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	page := []byte(strings.Repeat("x", 4096))
	begun, n := time.Now(), 0
	for ; time.Since(begun) < length; n++ {
		if _, err := file.Write(page); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begun).Seconds(), nil
}
