package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"stripe-connector/internal/config"
	"stripe-connector/internal/connection"
	"stripe-connector/internal/console"
	"stripe-connector/internal/httpapi"
	"stripe-connector/internal/metrics"
	"stripe-connector/internal/store"
	"stripe-connector/internal/store/postgres"
	"stripe-connector/internal/store/sqlite"
	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/traces"
	"stripe-connector/modules"
	"stripe-connector/webhooks"
)

// How long requests, after them deliveries, and last what is left of traces get to finish at a shutdown. With
// SHUTDOWN_DELAY before, and 2 more for a store that does not take the last outcomes, they stay below 25 seconds.
const (
	drainRequests   = 9 * time.Second
	drainDeliveries = 6 * time.Second
	drainTraces     = 2 * time.Second
)

// serve runs the service until ctx is done.
func serve(ctx context.Context, in invocation) (err error) {
	runtime.GC() // so that starting takes the room of what the packages needed to begin, and no more beside it
	if err := in.parse(in.flags("serve")); err != nil {
		return err
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	log := newLog(cfg, in)
	for _, name := range config.Unknown() {
		log.Warn().Str("variable", name).Msg("this variable is not known; is it misspelt?")
	}
	catalogue, err := modules.Catalogue()
	if err != nil {
		return fmt.Errorf("the declarations of modules are faulty:\n%w", err)
	}
	db, ring, err := openStore(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	tracer := follow(ctx, log)
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTraces)
		defer cancel()
		if err := tracer.Close(end); err != nil {
			log.Warn().Err(err).Msg("stopping")
		}
	}()
	counters := metrics.New(version)
	db.Observe(func(calls int) func() {
		begun := time.Now()
		return func() { counters.Committed(calls, time.Since(begun)) }
	})
	stripe, err := stripeapi.New(stripeapi.Config{
		BaseURL: cfg.StripeAPIBase, RateTest: cfg.StripeRateTest, RateLive: cfg.StripeRateLive, Budget: cfg.RequestTimeout,
		UserAgent: "stripe-connector/" + version, Meter: counters, Tracer: tracer,
		Now: time.Now, Log: log,
	})
	if err != nil {
		return err
	}
	defer stripe.Close()
	tokens := connection.NewTokens(db, time.Now, log)
	first, err := tokens.Bootstrap(ctx, cfg.AdminToken.Reveal())
	if err != nil {
		return fmt.Errorf("making the first token: %w", err)
	}
	if first != "" {
		// The one moment at which it can be seen. It goes to the terminal and not to the log.
		fmt.Fprintf(in.stdout, "The first admin token, shown this once: %s\n", first)
	}
	activity := console.NewActivity(time.Now)
	deliverer := webhooks.NewDeliverer(cfg.DeliveryTimeout, cfg.AllowPrivateTargets, time.Now)
	defer deliverer.Close()
	operations := webhooks.NewOperations(webhooks.OperationsConfig{
		Store: db, Secrets: ring, Deliverer: deliverer, Schedule: webhooks.Schedule(cfg.RetrySchedule), Now: time.Now, Log: log,
	})
	defer operations.Close()
	dispatcher := webhooks.NewDispatcher(webhooks.DispatcherConfig{
		Store: db, Secrets: ring, Deliverer: deliverer, Schedule: webhooks.Schedule(cfg.RetrySchedule), Grace: drainDeliveries,
		Guard:   webhooks.NewGuard(webhooks.GuardConfig{Store: db, Operations: operations, Now: time.Now, Log: log}),
		Observe: func(w store.Work, o store.Outcome) { activity.Attempted(w, o); counters.Attempted(w, o) }, Tracer: tracer,
		Now: time.Now, Log: log,
	})
	hooks := webhooks.NewService(webhooks.ServiceConfig{
		Store: db, Stripe: stripe, Secrets: ring, Deliverer: deliverer, PublicURL: cfg.PublicURL, Observe: counters.Acted,
		Recall: dispatcher.Recall, Now: time.Now, Log: log,
	})
	defer hooks.Close()
	counters.Watch(db, hooks, ring, time.Now)
	// One for each way in, since they are counted apart.
	receiver := func(count func(store.Endpoint, webhooks.Receipt)) *webhooks.Receiver {
		return webhooks.NewReceiver(webhooks.ReceiverConfig{
			Store: db, Secrets: ring, Dispatcher: dispatcher, Tracer: tracer, Now: time.Now, Log: log,
			Observe: func(e store.Endpoint, r webhooks.Receipt) { activity.Received(e, r); count(e, r) },
		})
	}
	keeper := webhooks.NewKeeper(webhooks.KeeperConfig{
		Service: hooks, Receiver: receiver(counters.CaughtUp), Interval: cfg.CatchupInterval, Retention: cfg.Retention,
		Tracer: tracer,
	})

	var stopping atomic.Bool
	api := httpapi.Config{
		Catalogue: catalogue, Stripe: stripe, Connections: connection.NewService(db, ring, stripe, time.Now), Tokens: tokens,
		Audit: db, Webhooks: hooks, Operations: operations, Receiver: receiver(counters.Received),
		Ready: func(ctx context.Context) error {
			if stopping.Load() {
				return errors.New("shutting down")
			}
			return db.Ping(ctx)
		},
		Scrape: counters.Handler(), Meter: counters, Tracer: tracer, MaxLimit: cfg.MaxLimit,
		RateLimit: cfg.RateLimit, MaxAtOnce: cfg.MaxConcurrent, Log: log, Now: time.Now,
	}
	quiet := api
	quiet.Log = log.Level(max(cfg.LogLevel, zerolog.WarnLevel)) // of what pages ask; the console logs what people do
	quiet.RateLimit = 0                                         // one page asks for many things
	// Made when the first page asks: most replicas never show one.
	inside := sync.OnceValue(func() http.Handler { return activity.Calls(httpapi.New(quiet), tokens) })
	pages := console.New(console.Config{
		API:    http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inside().ServeHTTP(w, r) }),
		Tokens: tokens, Secrets: ring, Jobs: hooks, Catalogue: catalogue, Activity: activity,
		PublicURL: cfg.PublicURL, Now: time.Now, Log: log,
	})
	handler := beside(pages, activity.Calls(httpapi.New(api), tokens))

	// What runs beside the requests ends after them, since they may still need it.
	jobs, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	defer func() { stop(); background.Wait() }()
	run := func(job func(context.Context)) { background.Go(func() { job(jobs) }) }
	run(tokens.Run)
	run(dispatcher.Run)
	run(keeper.Run)
	run(func(ctx context.Context) { prune(ctx, db, cfg.Retention, log) })

	lighten()
	return listen(ctx, cfg, handler, log, &stopping)
}

// lighten gives back what starting took, above all for migrations, which pools keep over one collection. What lives after
// that is so little that Go would collect many times a second under load; unless GOGC says otherwise, it may take twice
// the room.
func lighten() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
	runtime.GC()
	debug.FreeOSMemory()
}

// follow starts what OpenTelemetry's variables ask for. The service works as well without traces, so a fault in them only warns.
func follow(ctx context.Context, log zerolog.Logger) *traces.Tracer {
	cfg, err := config.LoadTraces()
	var tracer *traces.Tracer
	if err == nil {
		tracer, err = traces.Start(ctx, cfg, version, log)
	}
	if err != nil {
		log.Warn().Err(err).Msg("there are no traces")
	}
	return tracer
}

// beside puts the console's pages beside the API.
func beside(pages, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/console" || strings.HasPrefix(r.URL.Path, "/console/") {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// openStore opens what CONNECTOR_DATABASE_URL names, and the keys that seal what is in it.
func openStore(ctx context.Context, cfg config.Config, log zerolog.Logger) (store.Store, *connection.Ring, error) {
	path, embedded := cfg.SQLite()
	ring, err := openRing(cfg, path)
	if err != nil {
		return nil, nil, err
	}
	var db store.Store
	if embedded {
		db, err = sqlite.Open(ctx, path, time.Now)
	} else {
		db, err = postgres.Open(ctx, cfg.DatabaseURL.Reveal(), log)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening the store: %w", err)
	}
	if err := fits(ctx, ring, db); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, ring, nil
}

// fits opens every sealed secret once, so that keys of another database fail the start and not a delivery a week later.
func fits(ctx context.Context, ring *connection.Ring, db store.Store) error {
	_, err := db.Reseal(ctx, func(owner, purpose string, sealed []byte) ([]byte, error) {
		_, err := ring.Open(owner, purpose, sealed)
		return sealed, err
	})
	if errors.Is(err, connection.ErrSeal) {
		return fmt.Errorf("the keys do not fit the database; give CONNECTOR_SECRET_KEYS, or the key file, that it was made with: %w", err)
	}
	return err
}

// openRing makes the key ring of the configured keys. Without any, the key is in a file beside the database, made with it:
// a new key for an old database would open nothing that is in it.
func openRing(cfg config.Config, database string) (*connection.Ring, error) {
	keys := make([]connection.Key, len(cfg.SecretKeys))
	for i, k := range cfg.SecretKeys {
		keys[i] = connection.NewKey(k.ID, []byte(k.Bytes.Reveal()))
	}
	if len(keys) > 0 {
		return connection.NewRing(time.Now, keys...)
	}
	file := filepath.Join(filepath.Dir(database), "secret.key")
	if exists(database) && !exists(file) {
		return nil, fmt.Errorf("the key file %s is missing, and the database needs it; restore it, or set CONNECTOR_SECRET_KEYS", file)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	k, err := connection.KeyFile(file)
	if err != nil {
		return nil, err
	}
	return connection.NewRing(time.Now, k)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

const (
	pruneEvery = 10 * time.Minute
	pruneStep  = 200 // events in one transaction, so that live traffic gets in between
)

// prune forgets what is older than keep, now and then.
func prune(ctx context.Context, events store.Events, keep time.Duration, log zerolog.Logger) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if _, err := events.Prune(ctx, keep, pruneStep); err != nil && ctx.Err() == nil {
			log.Warn().Err(err).Msg("old events could not be pruned; trying again later")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func newLog(cfg config.Config, in invocation) zerolog.Logger {
	var log zerolog.Logger
	if cfg.LogFormat == "console" {
		log = zerolog.New(zerolog.ConsoleWriter{Out: in.stderr, TimeFormat: time.TimeOnly})
	} else {
		log = zerolog.New(in.stderr)
	}
	return log.Level(cfg.LogLevel).With().Timestamp().Logger()
}
