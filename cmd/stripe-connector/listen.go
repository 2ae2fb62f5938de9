package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/config"
)

const (
	// settle is how long who has just connected has to say what they want, after the port is closed.
	settle = 500 * time.Millisecond

	// idle is for how long a connection may be of no use. Balancers have to be first to close one, or a request crosses with
	// our end of it; Caddy keeps one for 2 minutes and Google's for 10.
	idle = 11 * time.Minute
)

// listen serves until ctx is done, and then parts with its callers. Nobody may lose a request by that: a proxy does not send
// a POST to another replica once a connection took it, and Stripe comes back after an hour. So all goes on for
// SHUTDOWN_DELAY, in which balancers see that we are not ready any more, and each connection ends with its next answer. Then
// the port is closed, whoever got in before that is still heard, and what is under way finishes.
func listen(ctx context.Context, cfg config.Config, handler http.Handler, log zerolog.Logger, stopping *atomic.Bool) error {
	server := &http.Server{
		Handler:           parting(handler, stopping),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       idle,
		MaxHeaderBytes:    16 << 10, // a stranger may hold so much on each connection
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	log.Info().Stringer("address", listener.Addr()).Str("version", version).Msg("serving")
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	stopping.Store(true)
	log.Info().Msg("stopping")
	time.Sleep(cfg.ShutdownDelay)
	_ = listener.Close() // not with Shutdown, which drops requests that arrive at that moment
	time.Sleep(min(cfg.ShutdownDelay, settle))
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainRequests)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		_ = server.Close()
		log.Warn().Err(err).Msg("some requests did not finish in time")
	}
	return nil
}

// parting ends each connection with its next answer once the service is stopping. A connection that is closed while it is
// idle may cut a request that is on its way.
func parting(next http.Handler, stopping *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
