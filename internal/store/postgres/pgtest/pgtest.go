// Package pgtest starts throw-away PostgreSQL servers from the binaries that are installed, for tests.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrMissing means that PostgreSQL's server is not installed.
var ErrMissing = errors.New("the PostgreSQL server is not installed (on Debian: apt-get install postgresql)")

// A Server is a PostgreSQL server with a data directory of its own, reached through a socket in it.
type Server struct {
	dir      string
	bin      string
	settings []string
	as       *syscall.SysProcAttr
	stdin    io.Closer
	done     chan struct{}
	made     chan int // how many databases were made; its only token is who makes one now
}

// Main runs tests with a server for all of them, or without one. It returns what to exit with.
func Main(m interface{ Run() int }, use func(*Server)) int {
	s, err := Start("fsync=off", "synchronous_commit=off", "full_page_writes=off")
	if err != nil && (!errors.Is(err, ErrMissing) || os.Getenv("CI") == "true") {
		fmt.Fprintln(os.Stderr, "starting PostgreSQL:", err)
		return 1
	}
	if err == nil {
		use(s)
		defer s.Close()
	}
	return m.Run()
}

// Need starts a server for one test, which it skips where PostgreSQL is missing, but not in CI.
func Need(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s, err := Start(settings...)
	if errors.Is(err, ErrMissing) && os.Getenv("CI") != "true" {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Start makes a server with settings and waits until it answers. It dies with this process.
func Start(settings ...string) (_ *Server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, settings: settings, as: &syscall.SysProcAttr{Setpgid: true}, made: make(chan int, 1)}
	s.made <- 0
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := s.leaveRoot(); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8",
		"--no-locale", "--pgdata="+s.data())
	initdb.SysProcAttr = s.as
	initdb.Dir = dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making a cluster: %w: %s", err, out)
	}
	return s, s.Launch()
}

// binaries finds the newest installation.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrMissing
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// leaveRoot has the server run as somebody else, since it refuses to run as root.
func (s *Server) leaveRoot() error {
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return err
	}
	s.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, int(uid), int(gid))
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Launch starts the server, at first or after Kill, and waits until it answers.
func (s *Server) Launch() error {
	// The shell ends the server when its input ends, which it does when this process is gone, however that happens.
	const script = `exec 3<&0; "$@" & server=$!; (cat <&3 >/dev/null; kill -QUIT $server) & watch=$!; wait $server; kill $watch`
	deadline := time.Now().Add(time.Minute)
	for {
		args := []string{"-c", script, "sh", filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir, "-c", "listen_addresses="}
		for _, setting := range s.settings {
			args = append(args, "-c", setting)
		}
		cmd := exec.Command("sh", args...)
		cmd.SysProcAttr = s.as
		cmd.Dir = s.dir
		log, err := os.Create(filepath.Join(s.dir, "log"))
		if err != nil {
			return err
		}
		cmd.Stdout, cmd.Stderr = log, log
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		_ = log.Close()
		done := make(chan struct{})
		s.stdin, s.done = stdin, done
		go func() {
			defer close(done)
			_ = cmd.Wait() // its end is all that matters; why stands in the log
		}()
		for s.ping() != nil {
			select {
			case <-done:
			case <-time.After(20 * time.Millisecond):
				if time.Now().Before(deadline) {
					continue
				}
			}
			break
		}
		if s.ping() == nil {
			return nil
		}
		if time.Now().After(deadline) { // till then, what was killed may still be in the way
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("the server does not answer: %s", text)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *Server) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// URL is where a database of the server is.
func (s *Server) URL(database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(s.dir)
}

// Database makes an empty database and returns its URL. Without a server it skips the test.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	if s == nil {
		tb.Skip(ErrMissing)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	made, err := s.Create(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	return made
}

// Create makes an empty database and returns its URL.
func (s *Server) Create(ctx context.Context) (string, error) {
	n := <-s.made
	defer func() { s.made <- n + 1 }()
	name := fmt.Sprintf("test%d", n)
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err = conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return s.URL(name), nil
}

// Drop removes a database that Create made, whoever is connected to it. The server makes a checkpoint.
func (s *Server) Drop(ctx context.Context, database string) error {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "DROP DATABASE "+config.Database+" WITH (FORCE)")
	return err
}

// Settle has the server do now what many changes of a database leave it with.
func (s *Server) Settle(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Log is what the server has written since it was launched.
func (s *Server) Log() (string, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text), err
}

// Kill ends the server, all of its processes, with SIGKILL.
func (s *Server) Kill() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "SELECT pid FROM pg_stat_activity")
	if err != nil {
		return err
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	first, err := strconv.Atoi(line)
	if err != nil {
		return err
	}
	for _, pid := range append([]int{first}, pids...) { // the first one would replace the others
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	<-s.done
	return nil
}

// Close ends the server and removes its data.
func (s *Server) Close() {
	_ = s.stdin.Close()
	<-s.done
	_ = os.RemoveAll(s.dir)
}
