package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/form"

	"stripe-connector/internal/stripeapi"
	"stripe-connector/internal/stripetest"
	"stripe-connector/modules"
	"stripe-connector/modules/paymentintents"
)

// A payment intent of 13 fields, as a platform sends it to us and as we send it to Stripe.
const (
	intentBundle = `{"connection":"%s","amount":"1099","currency":"EUR","description":"Order 7","receipt_email":"ada@example.com",` +
		`"customer":"cus_NffrFeUfNV2Hib","payment_method_types":["card"],"capture_method":"manual","statement_descriptor_suffix":"ORDER 7",` +
		`"shipping":{"name":"Ada Lovelace","address":{"line1":"12 St James's Square","city":"London","country":"gb"}},"metadata":{"order":"7","shop":"b"}}`
	intentForm = "amount=1099&currency=eur&description=Order+7&receipt_email=ada%40example.com&payment_method_types[0]=card" +
		"&capture_method=manual&statement_descriptor_suffix=ORDER+7&shipping[name]=Ada+Lovelace&shipping[address][line1]=12+St+James%27s+Square" +
		"&shipping[address][city]=London&shipping[address][country]=GB&metadata[order]=7&metadata[shop]=b"
)

// measureBinding is our own share of a call without any network: decode, validate, bind, encode.
func (b *bench) measureBinding(context.Context) ([]row, error) {
	body := fmt.Appendf(nil, intentBundle, "conn_1")
	var speed, allocations [][]float64
	for range b.runs {
		result := testing.Benchmark(func(b *testing.B) {
			b.Helper()
			b.ReportAllocs()
			for b.Loop() {
				if err := bind(body); err != nil {
					b.Fatal(err)
				}
			}
		})
		if result.N == 0 {
			return nil, errors.New("the bundle was refused")
		}
		speed = append(speed, []float64{float64(result.NsPerOp()) / 1000})
		allocations = append(allocations, []float64{float64(result.AllocsPerOp())})
	}
	return []row{
		judge("binding", "create-payment-intent, 13 fields, without network", "µs", limit, 25, speed...),
		judge("binding", "the same, allocations", "", limit, 170, allocations...),
	}, nil
}

// bind is what becomes of a bundle before it goes to Stripe.
func bind(body []byte) error {
	bundle, err := paymentintents.Create.Decode(body, 100)
	if err != nil {
		return err
	}
	params := new(stripe.PaymentIntentParams)
	bundle.BindTo(params)
	values := new(form.Values)
	form.AppendTo(values, params)
	_ = values.Encode()
	return nil
}

// measureCalls holds module calls against a bare proxy to the same Stripe.
func (b *bench) measureCalls(ctx context.Context) ([]row, error) {
	const workers, perSecond = 64, 200
	var rates, p50, p99 [][]float64
	for i := range b.runs {
		b.progress("calls: run %d of %d", i+1, b.runs)
		var rate, half, most []float64
		for _, start := range []func(context.Context) (*service, caller, error){b.viaConnector, b.viaProxy} {
			s, call, err := start(ctx)
			if err != nil {
				return nil, err
			}
			got, took, err := b.callLoad(ctx, call, workers, perSecond)
			s.Stop()
			if err != nil {
				return nil, err
			}
			rate, half, most = append(rate, got), append(half, took.at(50)), append(most, took.at(99))
		}
		rates, p50, p99 = append(rates, rate), append(p50, half), append(p99, most)
	}
	return []row{
		judge("calls", "module calls, 64 connections; beside: bare reverse proxy", "1/s", share, 0.70, rates...),
		judge("calls", "a module call at 200/s, p50; beside: bare reverse proxy", "ms", excess, 0.3, p50...),
		judge("calls", "the same, p99", "ms", excess, 2, p99...),
	}, nil
}

func (b *bench) callLoad(ctx context.Context, call caller, workers, perSecond int) (rate float64, took *spread, err error) {
	do := func(ctx context.Context, _ int, _ time.Time) error { return call(ctx) }
	if _, err := closed(ctx, workers, b.warmUp(), do); err != nil {
		return 0, nil, err
	}
	if rate, err = closed(ctx, workers, b.length, do); err != nil {
		return 0, nil, err
	}
	took = newSpread()
	err = open(ctx, perSecond, 2*b.length, func(ctx context.Context, _ int, due time.Time) error {
		err := call(ctx)
		took.add(time.Since(due))
		return err
	})
	return rate, took, err
}

// A caller makes one call that creates a payment intent.
type caller func(context.Context) error

func (b *bench) viaConnector(ctx context.Context) (*service, caller, error) {
	s, err := b.start(ctx, b.sqlite())
	if err != nil {
		return nil, nil, err
	}
	connection, err := s.connect(ctx)
	if err != nil {
		s.Stop()
		return nil, nil, err
	}
	return s, posting(s.url+"/v1/modules/create-payment-intent", jsonType, token, fmt.Sprintf(intentBundle, connection)), nil
}

func (b *bench) viaProxy(ctx context.Context) (*service, caller, error) {
	s, err := b.ceiling(ctx, "proxy", b.stripe.url)
	if err != nil {
		return nil, nil, err
	}
	return s, posting(s.url+"/v1/payment_intents", formType, stripetest.Key, intentForm), nil
}

func posting(url, contentType, bearer, body string) caller {
	client := transport()
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+bearer)
		r.Header.Set("Content-Type", contentType)
		_, err = fetch(client, r)
		return err
	}
}

// measureList holds a search of a thousand objects against fetching the same ten pages bare.
func (b *bench) measureList(ctx context.Context) ([]row, error) {
	s, err := b.start(ctx, b.sqlite())
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	connection, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	search := posting(s.url+"/v1/modules/search-customers", jsonType, token, fmt.Sprintf(`{"connection":%q,"limit":1000}`, connection))
	client := transport()
	pages := func(ctx context.Context) error {
		for _, behind := range b.stripe.order {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.stripe.url+"/v1/customers?limit=100&starting_after="+behind, nil)
			if err != nil {
				return err
			}
			if _, err := fetch(client, r); err != nil {
				return err
			}
		}
		return nil
	}
	var took [][]float64
	for i := range 5 * b.runs {
		b.progress("list: run %d of %d", i+1, 5*b.runs)
		var run []float64
		for _, list := range []caller{search, pages} {
			begun := time.Now()
			if err := list(ctx); err != nil {
				return nil, err
			}
			run = append(run, float64(time.Since(begun).Microseconds())/1000)
		}
		took = append(took, run)
	}
	held, err := pagesHeld(ctx)
	if err != nil {
		return nil, err
	}
	return []row{
		judge("list", fmt.Sprintf("list of 1,000 objects, %v a page; beside: the pages bare", b.stripe.pageTime), "ms", times, 1.10, took...),
		judge("list", "pages held at most while a list is streamed", "pages", limit, 2, []float64{held}),
	}, nil
}

// pagesHeld walks through ten large pages and looks, each time that one has come and at each of its objects, how much of the
// memory in use is theirs, as a multiple of one page.
func pagesHeld(ctx context.Context) (float64, error) {
	catalogue, err := modules.Catalogue()
	if err != nil {
		return 0, err
	}
	search, _ := catalogue.Module("search-customers")
	bundle, err := search.Decode([]byte(`{"connection":"conn_1","limit":1000}`), 1000)
	if err != nil {
		return 0, err
	}
	large := largePages{object: strings.Repeat("x", 40_000)}
	client, err := stripeapi.New(stripeapi.Config{Transport: &large, Now: time.Now})
	if err != nil {
		return 0, err
	}
	found, err := client.Search(stripeapi.Session{Key: stripetest.Key}, search.Query(bundle), 1000, "")
	if err != nil {
		return 0, err
	}
	before := inUse()
	large.look = func() { large.most = max(large.most, inUse()-before) }
	n := 0
	for _, err := range found.All(ctx) {
		if err != nil {
			return 0, err
		}
		if n++; n%10 == 1 {
			large.look()
		}
	}
	if n != 1000 {
		return 0, fmt.Errorf("%d of 1000 objects were listed", n)
	}
	return float64(large.most) / float64(pageSize*len(large.object)), nil
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
