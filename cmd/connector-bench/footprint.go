package main

import (
	"context"
	"os"
	"time"
)

// measureFootprint is what the connector takes before anybody asks anything of it.
func (b *bench) measureFootprint(ctx context.Context) ([]row, error) {
	binary, err := os.Stat(b.connector)
	if err != nil {
		return nil, err
	}
	database := b.sqlite()
	first, err := b.start(ctx, database) // makes the tables
	if err != nil {
		return nil, err
	}
	first.Stop()
	var ready, idle [][]float64
	for i := range b.runs {
		b.progress("footprint: run %d of %d", i+1, b.runs)
		begun := time.Now()
		s, err := b.start(ctx, database)
		if err != nil {
			return nil, err
		}
		ready = append(ready, []float64{float64(time.Since(begun).Microseconds()) / 1000})
		if err := sleep(ctx, b.length); err != nil {
			return nil, err
		}
		held, err := s.memory()
		s.Stop()
		if err != nil {
			return nil, err
		}
		idle = append(idle, []float64{held})
	}
	return []row{
		judge("footprint", "the static binary and what it embeds", "MiB", limit, 30, []float64{float64(binary.Size()) / (1 << 20)}),
		judge("footprint", "start to ready on an existing store", "ms", limit, 100, ready...),
		judge("footprint", "memory, idle", "MiB", limit, 24, idle...),
	}, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
