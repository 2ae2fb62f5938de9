package stripeapi

import (
	"encoding/hex"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decodeMax is how often a path may be percent-encoded over and over.
const decodeMax = 4

// rawURL resolves what the user gave as URL against base, or says why it must not be called. The call carries the API
// key: no spelling may lead to another host, or out of /v1/ and /v2/, however often it is decoded or cleaned on the way.
func rawURL(base *url.URL, text string) (target *url.URL, reason string) {
	text = strings.TrimSpace(text)
	switch {
	case !utf8.ValidString(text):
		return nil, "must be UTF-8"
	case strings.ContainsFunc(text, unicode.IsControl):
		return nil, "must not hold control characters"
	case strings.ContainsAny(text, `\#`):
		return nil, `must not hold \ or #`
	}
	path, query, _ := strings.Cut(text, "?")
	path = strings.TrimPrefix(path, "/")
	version, rest, _ := strings.Cut(path, "/")
	if version != "v1" && version != "v2" || rest == "" {
		return nil, "must be a path that begins with /v1/ or /v2/, such as /v1/charges"
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if reason := segmentFault(segment); reason != "" {
			return nil, reason
		}
	}
	target, err := url.Parse(base.Scheme + "://" + base.Host + "/" + escape(path))
	if err != nil || target.Host != base.Host {
		return nil, "is not a path"
	}
	target.RawQuery = escape(query)
	return target, ""
}

// segmentFault judges a part between two slashes, in each form that it takes when it is decoded again and again.
func segmentFault(segment string) string {
	if segment == "" {
		return "must not hold an empty part between or behind slashes; is an id missing?"
	}
	for depth := range decodeMax {
		name, _, _ := strings.Cut(segment, ";") // some servers cut parameters off before they clean a path
		switch {
		case name == "." || name == "..":
			return "must not hold . or .. as a part"
		case strings.ContainsAny(segment, `/\`):
			return "must not hold an encoded slash"
		case !utf8.ValidString(segment) || strings.ContainsFunc(segment, unicode.IsControl):
			return "must not hold encoded control characters or bytes that are not UTF-8"
		case depth == 0 && strings.ContainsFunc(segment, unicode.IsSpace):
			return "must not hold spaces in the path; write %20 where one is meant"
		}
		decoded, whole := unescape(segment)
		if !whole && depth == 0 {
			return "holds a % that is not followed by two hexadecimal digits"
		}
		if decoded == segment {
			return ""
		}
		segment = decoded
	}
	return "is percent-encoded too many times"
}

// unescape decodes once, as lenient servers do: a % that encodes nothing stays, and whole is false.
func unescape(text string) (decoded string, whole bool) {
	var b strings.Builder
	whole = true
	for i := 0; i < len(text); i++ {
		if text[i] == '%' {
			if code, err := hex.DecodeString(text[i+1 : min(i+3, len(text))]); err == nil && len(code) == 1 {
				b.WriteByte(code[0])
				i += 2
				continue
			}
			whole = false
		}
		b.WriteByte(text[i])
	}
	return b.String(), whole
}

// escape percent-encodes what may not stand in a URL and leaves everything else as it is.
func escape(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>^`{|}", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
