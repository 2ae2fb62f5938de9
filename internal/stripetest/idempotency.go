package stripetest

import (
	"fmt"
	"net/http"
)

// reply is what an idempotency key was first answered with.
type reply struct {
	request string // what the key was first used for
	done    bool
	answer  answer
}

// replayOr executes a request, or repeats the answer that its idempotency key was given before, see
// https://docs.stripe.com/api/idempotent_requests. Refusals of single parameters are not kept, as at Stripe, so the
// caller must have judged the request already.
func (s *Server) replayOr(req *request, r *http.Request, body []byte, execute func() answer) answer {
	if req.key == "" || r.Method == http.MethodGet {
		return execute()
	}
	// Form keys in a fixed order: maps such as metadata are encoded in any order.
	fingerprint := r.Method + " " + r.URL.Path + "?" + form(r, body).Encode()

	s.mu.Lock()
	first := req.space.replies[req.key]
	if first != nil {
		defer s.mu.Unlock()
		switch {
		case first.request != fingerprint:
			e := &apiError{Status: http.StatusBadRequest, Type: "idempotency_error"}
			e.Message = fmt.Sprintf("Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '%s' if you meant to execute a different request.", req.key)
			return e.answer()
		case !first.done:
			e := &apiError{Status: http.StatusConflict, Type: "idempotency_error", Code: "idempotency_key_in_use"}
			e.Message = fmt.Sprintf("There is currently another in-progress request using this Idempotency Key (that probably means you submitted twice, and the other request is still going through): %s. If you're trying to retry this request, please wait and try again.", req.key)
			return e.answer()
		}
		replayed := first.answer
		replayed.header = http.Header{"Idempotent-Replayed": {"true"}, "Original-Request": {first.answer.header.Get("Original-Request")}}
		return replayed
	}
	mine := &reply{request: fingerprint}
	req.space.replies[req.key] = mine
	s.mu.Unlock()

	// An execution that never ends in an answer, because its caller went away before it began, frees the key.
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !mine.done {
			delete(req.space.replies, req.key)
		}
	}()
	result := execute()
	result.header = http.Header{"Original-Request": {req.id}}

	s.mu.Lock()
	defer s.mu.Unlock()
	mine.answer, mine.done = result, true
	return result
}
