package stripetest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Fault is something that goes wrong with requests to come. Make one with a function of this package, narrow it with
// On, repeat it with Times, and hand it to Server.Fault.
type Fault struct {
	method, prefix string
	left           int

	answer  answer
	execute bool // the request takes effect before the fault
	reset   bool // the connection is closed before an answer
	cut     bool // the connection is closed in the middle of the body
	hold    bool // the request waits for Release

	enterOnce, releaseOnce sync.Once
	entered, released      chan struct{}
}

func newFault(f *Fault) *Fault {
	f.left, f.entered, f.released = 1, make(chan struct{}), make(chan struct{})
	return f
}

// On limits the fault to a method and a path prefix; an empty one matches all.
func (f *Fault) On(method, pathPrefix string) *Fault {
	f.method, f.prefix = method, pathPrefix
	return f
}

// Times makes the fault happen to the next n matching requests instead of one.
func (f *Fault) Times(n int) *Fault {
	f.left = n
	return f
}

// WithHeader adds a header to the fault's answer, such as Stripe-Should-Retry or Retry-After.
func (f *Fault) WithHeader(name, value string) *Fault {
	if f.answer.header == nil {
		f.answer.header = make(http.Header)
	}
	f.answer.header.Set(name, value)
	return f
}

// Entered is closed when the first request meets the fault.
func (f *Fault) Entered() <-chan struct{} { return f.entered }

// Release lets the requests that a Slow fault holds go on, now and later.
func (f *Fault) Release() { f.releaseOnce.Do(func() { close(f.released) }) }

// Refused answers with an error in Stripe's shape.
func Refused(status int, errorType, code, message string) *Fault {
	e := apiError{Status: status, Type: errorType, Code: code, Message: message}
	return newFault(&Fault{answer: e.answer()})
}

// CardDeclined answers 402, as for a declined card.
func CardDeclined() *Fault { return newFault(&Fault{answer: declined("generic_decline").answer()}) }

// LockTimeout answers 409, as when another request works on the same object.
func LockTimeout() *Fault {
	return Refused(http.StatusConflict, "invalid_request_error", "lock_timeout", "This object cannot be accessed right now because another API request or Stripe process is currently accessing it. If you see this error intermittently, retry the request.")
}

// RateLimited answers 429. The wait in seconds goes into Retry-After unless it is negative.
func RateLimited(retryAfter int) *Fault {
	f := Refused(http.StatusTooManyRequests, "invalid_request_error", "rate_limit", "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.")
	if retryAfter >= 0 {
		f.WithHeader("Retry-After", strconv.Itoa(retryAfter))
	}
	return f
}

// ServerError answers with a 5xx status in Stripe's shape.
func ServerError(status int) *Fault {
	return Refused(status, "api_error", "", "An unknown error occurred")
}

// HTMLPage answers with the error page of a proxy in front of Stripe.
func HTMLPage(status int) *Fault {
	page := fmt.Sprintf("<html><head><title>%d %s</title></head><body><center><h1>%[1]d %[2]s</h1></center></body></html>\n", status, http.StatusText(status))
	return newFault(&Fault{answer: answer{status: status, body: []byte(page)}}).WithHeader("Content-Type", "text/html")
}

// NotJSON answers 200 with a body that is not JSON.
func NotJSON() *Fault {
	return newFault(&Fault{answer: answer{status: http.StatusOK, body: []byte("upstream connect error or disconnect/reset before headers")}})
}

// CutBody executes the request and drops the connection in the middle of the answer.
func CutBody() *Fault { return newFault(&Fault{execute: true, cut: true}) }

// Reset drops the connection before anything happened.
func Reset() *Fault { return newFault(&Fault{reset: true}) }

// LostAnswer executes the request and drops the connection before the answer: the caller cannot know that it worked.
func LostAnswer() *Fault { return newFault(&Fault{execute: true, reset: true}) }

// Slow holds matching requests until Release, until their caller gives up, or until the server is closed; then they
// are executed as usual, or not at all if the caller has gone. Their idempotency key counts as in use.
func Slow() *Fault { return newFault(&Fault{execute: true, hold: true}) }

// Fault scripts faults. They are tried in the order given, the first that matches is used up once, and a request
// meets at most one. Requests that are unauthenticated or wrong in themselves are refused before.
func (s *Server) Fault(faults ...*Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// ResetFaults forgets all faults that have not happened, and releases the slow ones.
func (s *Server) ResetFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		f.Release()
	}
	s.faults = nil
}

func (s *Server) takeFault(method, path string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if (f.method != "" && f.method != method) || !strings.HasPrefix(path, f.prefix) {
			continue
		}
		f.left--
		if f.left <= 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return f
	}
	return nil
}

// apply lets the fault happen to one request. The argument executes the request, calling wait first.
func (f *Fault) apply(w http.ResponseWriter, r *http.Request, execute func(wait func()) answer) answer {
	f.enterOnce.Do(func() { close(f.entered) })
	result := f.answer
	if f.execute {
		result = execute(func() {
			if !f.hold {
				return
			}
			select {
			case <-f.released:
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
		})
	}
	if f.reset {
		panic(http.ErrAbortHandler)
	}
	if f.cut {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(result.body)))
		w.WriteHeader(result.status)
		_, _ = w.Write(result.body[:len(result.body)/2])
		_ = http.NewResponseController(w).Flush() // the half that matters is what did not come
		panic(http.ErrAbortHandler)
	}
	return result
}

// declined is Stripe's answer to a card that the bank refuses.
func declined(reason string) *apiError {
	return &apiError{
		Status: http.StatusPaymentRequired, Type: "card_error", Code: "card_declined", DeclineCode: reason,
		Message: "Your card was declined.",
	}
}
