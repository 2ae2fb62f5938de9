package openapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A file never changes while the program runs. It is kept compressed, and callers who have it already are told so.
type file struct {
	media, tag string
	packed     []byte
}

// NewFile serves the content, at whatever path it is mounted.
func NewFile(media string, content []byte) http.Handler { return newPacked(media, pack(content)) }

// newPacked takes content that is compressed already.
func newPacked(media string, packed []byte) http.Handler {
	sum := sha256.Sum256(packed)
	return &file{media: media, tag: hex.EncodeToString(sum[:8]), packed: packed}
}

func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", "no-cache") // ask again, but only whether it is the same
	h.Set("Vary", "Accept-Encoding")
	h.Set("X-Content-Type-Options", "nosniff")
	if takesGzip(r) {
		h.Set("ETag", strconv.Quote(f.tag+"-gzip"))
		h.Set("Content-Encoding", "gzip")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.packed))
		return
	}
	h.Set("ETag", strconv.Quote(f.tag))
	z, err := gzip.NewReader(bytes.NewReader(f.packed))
	if err != nil {
		http.Error(w, "The file is damaged.", http.StatusInternalServerError)
		return
	}
	content, err := io.ReadAll(z)
	if err != nil {
		http.Error(w, "The file is damaged.", http.StatusInternalServerError)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// pack compresses in memory, where nothing fails.
func pack(content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(content)
	_ = z.Close()
	return b.Bytes()
}

func takesGzip(r *http.Request) bool {
	return slices.ContainsFunc(strings.Split(r.Header.Get("Accept-Encoding"), ","), func(coding string) bool {
		name, quality, _ := strings.Cut(strings.TrimSpace(coding), ";")
		return name == "gzip" && strings.TrimSpace(quality) != "q=0"
	})
}
