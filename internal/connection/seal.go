package connection

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	keySize  = 32 // AES-256
	timeSize = 8
	maxKeyID = 255
)

// ErrSeal means that a sealed value does not open: another owner or purpose, a missing key, or changed bytes.
var ErrSeal = errors.New("the sealed value does not open")

// A Ring seals secrets at rest with AES-256-GCM. Its first key seals, all of them open. It is safe for concurrent use.
//
// A sealed value is the length of the key's id in one byte, the id, when it was sealed in 8 bytes of seconds since 1970, a
// random nonce of 12 bytes, and the ciphertext with its tag. All before the nonce, the owner and the purpose are its associated
// data, so it opens nowhere but where it belongs.
type Ring struct {
	first   string
	ciphers map[string]cipher.AEAD
	now     func() time.Time
	oldest  atomic.Int64 // see Oldest, in seconds since 1970
}

// NewRing makes a ring of keys, each an id and 32 bytes. Its errors hold no key.
func NewRing(now func() time.Time, keys ...Key) (*Ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("making a key ring: there is no key")
	}
	r := &Ring{first: keys[0].ID, ciphers: make(map[string]cipher.AEAD, len(keys)), now: now}
	r.oldest.Store(math.MaxInt64)
	for _, k := range keys {
		if k.ID == "" || len(k.ID) > maxKeyID || len(k.bytes) != keySize || r.ciphers[k.ID] != nil {
			return nil, fmt.Errorf("making a key ring: key %q has no id, the id of another, or not %d bytes", k.ID, keySize)
		}
		block, err := aes.NewCipher([]byte(k.bytes))
		if err != nil {
			return nil, errors.New("making a key ring: the key does not fit the cipher")
		}
		if r.ciphers[k.ID], err = cipher.NewGCM(block); err != nil {
			return nil, errors.New("making a key ring: the cipher does not fit the mode")
		}
	}
	return r, nil
}

// Seal encrypts a secret for its owner, an id, and a purpose, one of the store's Purpose constants.
func (r *Ring) Seal(owner, purpose string, plain []byte) ([]byte, error) {
	aead := r.ciphers[r.first]
	sealed := make([]byte, 0, 1+len(r.first)+timeSize+aead.NonceSize()+len(plain)+aead.Overhead())
	sealed = append(sealed, byte(len(r.first))) //nolint:gosec // NewRing bounds it
	sealed = append(sealed, r.first...)
	sealed = binary.BigEndian.AppendUint64(sealed, uint64(r.now().Unix())) //nolint:gosec // after 1970
	head := string(sealed)
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails, it rather ends the program
	sealed = append(sealed, nonce...)
	r.note(head)
	return aead.Seal(sealed, nonce, plain, associated(head, owner, purpose)), nil
}

// Open decrypts what Seal made for the same owner and purpose; anything else is ErrSeal.
func (r *Ring) Open(owner, purpose string, sealed []byte) ([]byte, error) {
	head, rest, err := split(sealed)
	if err != nil {
		return nil, err
	}
	aead := r.ciphers[keyOf(head)]
	if aead == nil {
		return nil, fmt.Errorf("%w: the key %q is not in the ring", ErrSeal, keyOf(head))
	}
	if len(rest) < aead.NonceSize() {
		return nil, fmt.Errorf("%w: it is cut short", ErrSeal)
	}
	plain, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], associated(head, owner, purpose))
	if err != nil {
		return nil, fmt.Errorf("%w: it was changed or belongs elsewhere", ErrSeal)
	}
	r.note(head)
	return plain, nil
}

// Oldest returns when that was sealed which was sealed longest ago, of all that this ring has sealed and opened; zero: nothing.
func (r *Ring) Oldest() time.Time {
	oldest := r.oldest.Load()
	if oldest == math.MaxInt64 {
		return time.Time{}
	}
	return time.Unix(oldest, 0)
}

// note remembers when a value was sealed.
func (r *Ring) note(head string) {
	sealed := int64(binary.BigEndian.Uint64([]byte(head[len(head)-timeSize:]))) //nolint:gosec // Seal has written it
	for oldest := r.oldest.Load(); sealed < oldest && !r.oldest.CompareAndSwap(oldest, sealed); {
		oldest = r.oldest.Load()
	}
}

// Reseal returns the value sealed by the first key: the same bytes if they are that already, after checking that they open.
func (r *Ring) Reseal(owner, purpose string, sealed []byte) ([]byte, error) {
	plain, err := r.Open(owner, purpose, sealed)
	if err != nil {
		return nil, fmt.Errorf("opening the %s of %s: %w", purpose, owner, err)
	}
	if head, _, _ := split(sealed); keyOf(head) == r.first {
		return sealed, nil
	}
	return r.Seal(owner, purpose, plain)
}

// split parts a sealed value before its nonce.
func split(sealed []byte) (head string, rest []byte, err error) {
	if len(sealed) == 0 || len(sealed) < 1+int(sealed[0])+timeSize {
		return "", nil, fmt.Errorf("%w: it is cut short", ErrSeal)
	}
	n := 1 + int(sealed[0]) + timeSize
	return string(sealed[:n]), sealed[n:], nil
}

// keyOf is the id of the key that sealed a value.
func keyOf(head string) string { return head[1 : len(head)-timeSize] }

// associated joins its parts so that no two lists of parts give the same bytes.
func associated(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = strconv.AppendInt(b, int64(len(p)), 10)
		b = append(append(b, ':'), p...)
	}
	return b
}

// A Key is one key of a Ring. Printing it shows its id only.
type Key struct {
	ID    string
	bytes secret
}

// NewKey names 32 bytes.
func NewKey(id string, bytes []byte) Key { return Key{ID: id, bytes: secret(bytes)} }

// String returns the id.
func (k Key) String() string { return k.ID }

// Format prints the id, for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, k.ID) }

// KeyFile reads the key in the file at path, which must be readable by its owner alone. If there is no file it makes a key
// and the file, so that a crash leaves either all of it or nothing. The file has the form of CONNECTOR_SECRET_KEYS.
func KeyFile(path string) (Key, error) {
	k, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeKey(path); err == nil || errors.Is(err, fs.ErrExist) { // someone else may have been faster
			k, err = readKey(path)
		}
	}
	if err != nil {
		return Key{}, fmt.Errorf("reading the key file %s: %w", path, err)
	}
	return k, nil
}

func readKey(path string) (Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Key{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("others may read it (mode %o); make it 600", info.Mode().Perm())
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator's path
	if err != nil {
		return Key{}, err
	}
	id, encoded, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || id == "" || len(raw) != keySize {
		return Key{}, errors.New("it does not hold ID:BASE64 of 32 bytes")
	}
	return NewKey(id, raw), nil
}

// makeKey writes the file under another name and links it into place when it is on the disk. An existing file stays.
func makeKey(path string) (err error) {
	raw := make([]byte, keySize+4)
	_, _ = rand.Read(raw)                                 // never fails
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = fmt.Fprintf(f, "k%s:%s\n", hex.EncodeToString(raw[keySize:]), base64.StdEncoding.EncodeToString(raw[:keySize]))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
