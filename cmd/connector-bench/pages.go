package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// largePages is a Stripe whose lists have ten pages of large objects, made while they are read.
type largePages struct {
	object string // what fills each
	look   func() // is called when a page has been read
	most   int64
	asked  int
}

// RoundTrip answers with the next page.
func (l *largePages) RoundTrip(r *http.Request) (*http.Response, error) {
	first := l.asked * pageSize
	l.asked++
	parts := make([]io.Reader, 0, pageSize+2)
	length := 0
	add := func(text string) {
		parts = append(parts, strings.NewReader(text))
		length += len(text)
	}
	add(`{"object":"list","data":[`)
	for i := range pageSize {
		comma := ""
		if i > 0 {
			comma = ","
		}
		add(fmt.Sprintf(`%s{"id":"cus_%d","object":"customer","description":"`, comma, first+i))
		add(l.object)
		add(`"}`)
	}
	add(fmt.Sprintf(`],"has_more":%t,"url":"/v1/customers"}`, l.asked < 10))
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {jsonType}}, ContentLength: int64(length),
		Body: io.NopCloser(io.MultiReader(append(parts, atEnd(l.look))...)), Request: r,
	}, nil
}

// atEnd is a reader of nothing that calls what it is.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
