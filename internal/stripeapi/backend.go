package stripeapi

import (
	"bytes"
	"errors"
	"reflect"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/form"
)

// A backend is the [stripe.Backend] of one call. It is told what stripe-go's resource methods want to send; the objects
// they hand in to be filled stay empty, because nobody reads them.
type backend func(method, path string, body *form.Values, params *stripe.Params) error

// Call encodes params as stripe-go does and makes the call.
func (b backend) Call(method, path, _ string, params stripe.ParamsContainer, _ stripe.LastResponseSetter) error {
	if v := reflect.ValueOf(params); v.Kind() != reflect.Pointer || v.IsNil() { // also a nil *Params in the interface
		return b(method, path, nil, nil)
	}
	body := &form.Values{}
	form.AppendTo(body, params)
	return b(method, path, body, params.GetParams())
}

// CallRaw makes the call.
func (b backend) CallRaw(
	method, path, _ string, body *form.Values, params *stripe.Params, _ stripe.LastResponseSetter,
) error {
	return b(method, path, body, params)
}

// CallStreaming is not for modules: their answers are JSON.
func (backend) CallStreaming(_, _, _ string, _ stripe.ParamsContainer, _ stripe.StreamingLastResponseSetter) error {
	return errors.New("streaming is not supported")
}

// CallMultipart is not for modules: they upload nothing.
func (backend) CallMultipart(
	_, _, _, _ string, _ *bytes.Buffer, _ *stripe.Params, _ stripe.LastResponseSetter,
) error {
	return errors.New("uploads are not supported")
}

// SetMaxNetworkRetries changes nothing: the transport decides about retries.
func (backend) SetMaxNetworkRetries(int64) {}
