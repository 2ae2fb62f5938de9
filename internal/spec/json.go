package spec

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// A node is a JSON value as it was written: numbers keep their digits, objects their order and doubled keys, which
// encoding/json would lose.
type node struct {
	kind nodeKind
	text string // the text of a string, the literal of a number
	raw  string // the JSON itself
	keys []string
	list []node // elements of an array, values of an object
}

type nodeKind uint8

const (
	isNull nodeKind = iota
	isBool
	isNumber
	isString
	isArray
	isObject
)

// depthMax is deeper than any bundle nests, and shallow enough for recursion.
const depthMax = 32

// fewMembers is how many members an object is expected to have; one with more makes room by itself.
const fewMembers = 8

// parse reads one JSON value. The syntax is encoding/json's to judge; reading it afterwards cannot fail.
func parse(body []byte) (node, string) {
	if !utf8.Valid(body) {
		return node{}, "the body is not UTF-8"
	}
	if !json.Valid(body) {
		var value json.RawMessage
		return node{}, "the body is not JSON: " + json.Unmarshal(body, &value).Error()
	}
	s := scanner{in: string(body)}
	n := s.value(0)
	if s.tooDeep {
		return node{}, "the body nests too deep"
	}
	return n, ""
}

// A scanner reads JSON that is known to be valid.
type scanner struct {
	in      string
	at      int
	tooDeep bool
}

func (s *scanner) blanks() {
	for s.at < len(s.in) && strings.IndexByte(" \t\r\n", s.in[s.at]) >= 0 {
		s.at++
	}
}

func (s *scanner) value(depth int) node {
	if depth > depthMax {
		s.tooDeep = true
		s.at = len(s.in)
		return node{}
	}
	s.blanks()
	start := s.at
	var n node
	switch s.in[s.at] {
	case '{':
		n.kind = isObject
		n.keys, n.list = make([]string, 0, fewMembers), make([]node, 0, fewMembers)
		s.each('}', func() {
			n.keys = append(n.keys, s.string())
			s.blanks()
			s.at++ // the colon
			n.list = append(n.list, s.value(depth+1))
		})
	case '[':
		n.kind = isArray
		s.each(']', func() { n.list = append(n.list, s.value(depth+1)) })
	case '"':
		n.kind = isString
		n.text = s.string()
	default:
		for s.at < len(s.in) && strings.IndexByte(",]} \t\r\n", s.in[s.at]) < 0 {
			s.at++
		}
		n.text = s.in[start:s.at]
		switch n.text[0] {
		case 'n':
			n.kind = isNull
		case 't', 'f':
			n.kind = isBool
		default:
			n.kind = isNumber
		}
	}
	n.raw = s.in[start:min(s.at, len(s.in))]
	return n
}

// each reads the members of an array or object up to its end.
func (s *scanner) each(end byte, member func()) {
	for s.at++; ; {
		s.blanks()
		if s.at >= len(s.in) {
			return
		}
		switch s.in[s.at] {
		case end:
			s.at++
			return
		case ',':
			s.at++
			s.blanks()
		}
		member()
	}
}

func (s *scanner) string() string {
	start, plain := s.at, true
	for s.at++; s.in[s.at] != '"'; s.at++ {
		if s.in[s.at] == '\\' {
			plain = false
			s.at++
		}
	}
	s.at++
	if plain {
		return s.in[start+1 : s.at-1]
	}
	var text string
	_ = json.Unmarshal([]byte(s.in[start:s.at]), &text) // valid, see parse
	return text
}
