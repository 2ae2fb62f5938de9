package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"stripe-connector/internal/spec"
	"stripe-connector/internal/store"
)

const (
	// jobStep is how many deliveries a job touches in one transaction. Live traffic gets in between two steps.
	jobStep = 200

	// maxCount is how far a job counts what is before it.
	maxCount = 1_000_000

	// jobMemory is how long an ended job can be looked up.
	jobMemory = time.Hour
)

// A JobKind says what a job does.
type JobKind string

// The kinds of jobs.
const (
	JobReplay    JobKind = "replay"
	JobRetryDead JobKind = "retry_dead"
)

// A JobState says where a job is.
type JobState string

// The states of a job.
const (
	JobRunning JobState = "running"
	JobDone    JobState = "done"
	JobFailed  JobState = "failed" // or interrupted by a shutdown; it can be asked for again
)

// A Job makes many deliveries due, in the background. It is forgotten an hour after its end, and when the process ends.
type Job struct {
	ID        string // job_…
	Kind      JobKind
	Workspace string
	Webhook   string
	Range     Range // of a replay
	State     JobState
	Events    int    // of a replay: how many events there are to look at, at most a million
	Queued    int    // deliveries made due so far
	Error     string // of a failed one; safe to show
	Started   time.Time
	Ended     time.Time // zero while it runs
}

// A Range says what to replay: stored events that Stripe created in [From, To).
type Range struct {
	From, To time.Time // To is now if zero
	Types    []string  // none: what the webhook wants
}

// Replay sends stored events of a webhook's endpoint to it again, in the background. [store.ErrConflict] means that another
// job of this webhook is running.
func (s *Service) Replay(ctx context.Context, workspace, id string, r Range) (Job, error) {
	w, filter, err := s.replayFilter(ctx, workspace, id, &r)
	if err != nil {
		return Job{}, err
	}
	count := filter
	count.Endpoint = w.Endpoint
	events, err := s.store.CountEvents(ctx, workspace, count, maxCount)
	if err != nil {
		return Job{}, fmt.Errorf("counting events: %w", err)
	}
	return s.start(Job{Kind: JobReplay, Workspace: workspace, Webhook: id, Range: r, Events: events},
		func(ctx context.Context, progress func(queued int)) error {
			return s.replay(ctx, workspace, id, filter, progress)
		})
}

// ReplayNow is Replay in the foreground: it returns when all is queued. progress is told after each step how many are.
func (s *Service) ReplayNow(ctx context.Context, workspace, id string, r Range, progress func(queued int)) error {
	_, filter, err := s.replayFilter(ctx, workspace, id, &r)
	if err != nil {
		return err
	}
	return s.replay(ctx, workspace, id, filter, progress)
}

func (s *Service) replayFilter(ctx context.Context, workspace, id string, r *Range) (store.Webhook, store.EventFilter, error) {
	w, err := s.store.Webhook(ctx, workspace, id)
	if err != nil {
		return w, store.EventFilter{}, fmt.Errorf("finding the webhook: %w", err)
	}
	if r.To.IsZero() {
		r.To = s.now()
	}
	var faults spec.Faults
	if r.From.IsZero() {
		faults = append(faults, spec.Fault{Field: "from", Label: "From", Code: spec.CodeRequired, Message: "is required"})
	} else if !r.From.Before(r.To) {
		faults = append(faults, spec.Fault{Field: "to", Label: "To", Code: spec.CodeTooSmall, Message: "must be after from"})
	}
	for _, name := range r.Types {
		if !wellFormedType(name) {
			faults = append(faults, spec.Fault{
				Field: "types", Label: "Types", Code: spec.CodeInvalid,
				Message: "holds something that is not an event type such as customer.created",
			})
			break
		}
	}
	if len(faults) > 0 {
		return w, store.EventFilter{}, faults
	}
	if len(r.Types) == 0 && !slices.Contains(w.EventTypes, allEvents) {
		r.Types = w.EventTypes
	}
	return w, store.EventFilter{Types: r.Types, From: r.From, To: r.To}, nil
}

func (s *Service) replay(ctx context.Context, workspace, id string, f store.EventFilter, progress func(queued int)) error {
	queued, after := 0, ""
	for {
		step, err := s.store.Replay(ctx, workspace, id, f, after, jobStep)
		if err != nil {
			return fmt.Errorf("replaying events: %w", err)
		}
		queued += step.Queued
		progress(queued)
		if step.Next == "" {
			return nil
		}
		after = step.Next
	}
}

// RetryDead gives all dead deliveries of a webhook another chance, in the background. [store.ErrConflict] means that another
// job of this webhook is running.
func (s *Service) RetryDead(ctx context.Context, workspace, id string) (Job, error) {
	if _, err := s.store.Webhook(ctx, workspace, id); err != nil {
		return Job{}, fmt.Errorf("finding the webhook: %w", err)
	}
	return s.start(Job{Kind: JobRetryDead, Workspace: workspace, Webhook: id},
		func(ctx context.Context, progress func(queued int)) error {
			for queued := 0; ; {
				retried, err := s.store.RetryDead(ctx, workspace, id, jobStep)
				if err != nil {
					return fmt.Errorf("retrying dead deliveries: %w", err)
				}
				queued += retried
				progress(queued)
				if retried < jobStep {
					return nil
				}
			}
		})
}

// Job looks a job up.
func (s *Service) Job(workspace, id string) (Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	job, ok := s.jobs[id]
	if !ok || job.Workspace != workspace {
		return Job{}, store.ErrNotFound
	}
	return *job, nil
}

// Jobs are the jobs of a webhook that are not forgotten, newest first.
func (s *Service) Jobs(workspace, webhook string) []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	var jobs []Job
	for _, job := range s.jobs {
		if job.Workspace == workspace && job.Webhook == webhook {
			jobs = append(jobs, *job)
		}
	}
	slices.SortFunc(jobs, func(a, b Job) int { return b.Started.Compare(a.Started) })
	return jobs
}

// start runs a job until it is done or the Service is closed.
func (s *Service) start(job Job, work func(ctx context.Context, progress func(queued int)) error) (Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return Job{}, store.ErrUnavailable
	}
	now := s.now()
	for id, other := range s.jobs {
		switch {
		case other.State == JobRunning && other.Webhook == job.Webhook:
			return Job{}, fmt.Errorf("%w: the %s that began before is still running", store.ErrConflict, other.Kind)
		case other.State != JobRunning && now.Sub(other.Ended) > jobMemory:
			delete(s.jobs, id)
		}
	}
	job.ID, job.State, job.Started = store.NewID("job", now), JobRunning, now
	running := job
	s.jobs[job.ID] = &running
	s.running.Go(func() {
		err := work(s.ctx, func(queued int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			running.Queued = queued
		})
		s.mu.Lock()
		defer s.mu.Unlock()
		running.State, running.Ended = JobDone, s.now()
		switch {
		case err == nil:
		case s.ctx.Err() != nil:
			running.State, running.Error = JobFailed, "interrupted by a shutdown"
		case errors.Is(err, store.ErrNotFound):
			running.State, running.Error = JobFailed, "the webhook was detached"
		default:
			running.State, running.Error = JobFailed, "the store failed"
			s.log.Error().Err(err).Str("job", running.ID).Str("webhook", running.Webhook).Msg("running a job")
		}
	})
	return job, nil
}
