package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"stripe-connector/internal/config"
)

// healthcheck asks the service on this machine whether it is ready. Images without a shell have nothing else to ask with.
func healthcheck(ctx context.Context, in invocation) error {
	if err := in.parse(in.flags("healthcheck")); err != nil {
		return err
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return fmt.Errorf("reading CONNECTOR_LISTEN: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("asking the service: %w", err)
	}
	res, err := (&http.Client{}).Do(req)
	if err != nil {
		return fmt.Errorf("asking the service: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the service is not ready: status %d", res.StatusCode)
	}
	return nil
}
