package store

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The prefixes of ids.
const (
	PrefixConnection = "conn"
	PrefixToken      = "tok"
	PrefixDeed       = "aud"
	PrefixWebhook    = "whk"
	PrefixEndpoint   = "ep"
	PrefixDelivery   = "dlv"
	PrefixOperations = "ops"
)

// idText keeps the order of the bytes that it encodes and needs no escaping in a URL.
var idText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns prefix, an underscore and 26 characters: 48 bits of now in milliseconds and 80 random bits. Ids of one
// prefix sort by time.
func NewID(prefix string, now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails, it rather ends the program
	return prefix + "_" + idText.EncodeToString(b[:])
}

// A Position is a place in a list: the creation time and id of an item.
type Position struct {
	Created time.Time
	ID      string
}

// Cursor writes a position as an opaque text.
func (p Position) Cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.Created.UnixMicro(), 36) + "." + p.ID))
}

// ParseCursor reads what Position.Cursor wrote; anything else is ErrCursor.
func ParseCursor(cursor string) (Position, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return Position{}, ErrCursor
	}
	created, id, found := strings.Cut(string(raw), ".")
	micros, err := strconv.ParseInt(created, 36, 64)
	if err != nil || !found || id == "" || strings.ContainsRune(id, 0) || !utf8.ValidString(id) {
		return Position{}, ErrCursor
	}
	return Position{Created: time.UnixMicro(micros).UTC(), ID: id}, nil
}
