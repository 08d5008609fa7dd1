// Package ettr estimates the effective training time of a run: the time of the steps that count, divided by the elapsed time.
package ettr

import (
	"math"
	"math/rand/v2"
)

// Run is a run on a cluster whose nodes fail. Times are in seconds.
type Run struct {
	Nodes   int
	MTBF    float64 // of one node, from any cause
	Broken  float64 // share of the failures after which the node must be replaced
	Silent  float64 // share of the failures that end no connection
	Hang    float64 // share of the failures that only the watch for hangs notices
	Spares  int     // idle nodes that take the place of broken ones
	Every   float64 // steps between the starts of two checkpoints
	Stall   float64 // that a checkpoint stops the steps
	Write   float64 // until a checkpoint is complete, during which the steps go on
	Crash   float64 // until a rank that has ended is noticed
	Lost    float64 // until a silent node is noticed
	Hung    float64 // until a hang is noticed
	Repair  float64 // until the Node object of a broken node is gone and its pod can be created again
	Launch  float64 // until a new node can run pods
	Pod     float64 // until a new pod's launcher is there
	Restart float64 // from all launchers being there until the first step: modules, communicators, checkpoint
}

// Loss is where time goes, as shares of the elapsed time.
type Loss struct {
	Effective, Stalled, Repeated, Detecting, Waiting, Restarting float64
}

// Simulate runs for some days under a seed.
func (r Run) Simulate(days float64, seed uint64) Loss {
	random := rand.New(rand.NewPCG(seed, seed))
	end := days * 86400
	var t, effective, stalled, repeated, detecting, waiting, restarting float64
	sinceSave, saved := 0.0, 0.0 // steps, in seconds, since the newest checkpoint began; of those, what a complete one has
	spares := make([]float64, r.Spares)
	for t < end {
		// Until the next failure, steps and checkpoints alternate.
		next := random.ExpFloat64() * r.MTBF / float64(r.Nodes)
		cycles := next / (r.Every + r.Stall)
		whole := math.Floor(cycles)
		rest := (cycles - whole) * (r.Every + r.Stall)
		steps := whole*r.Every + math.Min(rest, r.Every)
		stalled += next - steps
		sinceSave = math.Min(rest, r.Every)
		if whole > 0 && rest < r.Write { // the newest checkpoint is not complete: the one before counts
			sinceSave += r.Every
		}
		sinceSave = math.Min(sinceSave, steps)
		saved = steps - sinceSave
		t += next
		effective += saved
		repeated += sinceSave
		// The failure.
		detect := r.Crash
		switch kind := random.Float64(); {
		case kind < r.Hang:
			detect = r.Hung
		case kind < r.Hang+r.Silent:
			detect = r.Lost
		}
		detecting += detect
		t += detect
		wait := r.Pod
		if random.Float64() < r.Broken {
			wait = r.Repair + r.Launch + r.Pod
			for i, free := range spares {
				if free <= t {
					wait = r.Pod
					if detect == r.Lost { // its pod is replaced once its Node object is gone
						wait += r.Repair
					}
					spares[i] = t + r.Repair + r.Launch // the broken node's successor is the next spare
					break
				}
			}
		}
		waiting += wait
		restarting += r.Restart
		t += wait + r.Restart
	}
	return Loss{effective / t, stalled / t, repeated / t, detecting / t, waiting / t, restarting / t}
}
