// The peer that Parsec is measured against: golang/groupcache over HTTP, one process that owns the
// keys and one that asks, with connections tuned as its users tune them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang/groupcache"
)

func main() {
	runtime.GOMAXPROCS(1)
	switch os.Args[1] {
	case "server":
		serve(os.Args[2])
	case "client":
		ask(os.Args[2], os.Args[3], atoi(os.Args[4]), atoi(os.Args[5]))
	}
}

func serve(client string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	self := "http://" + listener.Addr().String()
	pool := groupcache.NewHTTPPoolOpts(self, nil)
	pool.Set(self, client)
	value := []byte(strings.Repeat("x", 256))
	groupcache.NewGroup("values", 64<<20, groupcache.GetterFunc(
		func(_ context.Context, _ string, dest groupcache.Sink) error { return dest.SetBytes(value) }))
	fmt.Println(self)
	check(http.Serve(listener, pool))
}

// A load, and what came of it: see RemoteLoad and RemoteFigures in src/programs/remote-client.ts.
type load struct {
	Callers       int     `json:"callers"`
	Batch         int     `json:"batch"`
	Seconds       float64 `json:"seconds"`
	WarmUpSeconds float64 `json:"warmUpSeconds"`
}

type figures struct {
	PerSecond    float64  `json:"perSecond"`
	P50Us        float64  `json:"p50Us"`
	AskingCPUUs  float64  `json:"askingCpuUs"`
	ServingCPUUs *float64 `json:"servingCpuUs,omitempty"`
}

type getter struct {
	keys       []string
	get        func(string)
	servingPid int
}

func ask(server, self string, keyCount, servingPid int) {
	pool := groupcache.NewHTTPPoolOpts(self, nil)
	transport := &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024}
	pool.Transport = func(context.Context) http.RoundTripper { return transport }
	pool.Set(server, self)
	group := groupcache.NewGroup("values", 0, groupcache.GetterFunc(
		func(_ context.Context, key string, _ groupcache.Sink) error {
			return fmt.Errorf("not the owner of %s", key)
		}))
	asker := getter{servingPid: servingPid, get: func(key string) {
		var value []byte
		check(group.Get(context.Background(), key, groupcache.AllocatingByteSliceSink(&value)))
	}}
	for index := 0; len(asker.keys) < keyCount; index++ {
		key := "user:" + strconv.Itoa(index)
		if _, remote := pool.PickPeer(key); remote {
			asker.keys = append(asker.keys, key)
		}
	}
	for _, key := range asker.keys {
		asker.get(key)
	}
	fmt.Println("ready")
	loads := json.NewDecoder(os.Stdin)
	for {
		var next load
		if err := loads.Decode(&next); err == io.EOF {
			return
		} else {
			check(err)
		}
		asker.measure(next, next.WarmUpSeconds)
		check(json.NewEncoder(os.Stdout).Encode(asker.measure(next, next.Seconds)))
	}
}

func (asker getter) measure(wanted load, seconds float64) figures {
	servingBefore, known := cpuOf(asker.servingPid)
	before, _ := cpuOf(os.Getpid())
	start := time.Now()
	answered, p50 := asker.run(wanted, start.Add(time.Duration(seconds*float64(time.Second))))
	elapsed := time.Since(start).Seconds()
	after, _ := cpuOf(os.Getpid())
	servingAfter, _ := cpuOf(asker.servingPid)
	result := figures{
		PerSecond:   float64(answered) / elapsed,
		P50Us:       p50,
		AskingCPUUs: (after - before) / float64(answered),
	}
	if known {
		serving := (servingAfter - servingBefore) / float64(answered)
		result.ServingCPUUs = &serving
	}
	return result
}

func (asker getter) run(wanted load, end time.Time) (int, float64) {
	counts := make([]int, wanted.Callers)
	var times []time.Duration
	var callers sync.WaitGroup
	for caller := 0; caller < wanted.Callers; caller++ {
		callers.Add(1)
		go func(caller int) {
			defer callers.Done()
			for index := caller * 17; ; index += wanted.Batch {
				asked := time.Now()
				if asked.After(end) {
					return
				}
				asker.getBatch(index, wanted.Batch)
				counts[caller] += wanted.Batch
				if wanted.Callers == 1 && wanted.Batch == 1 {
					times = append(times, time.Since(asked))
				}
			}
		}(caller)
	}
	callers.Wait()
	total := 0
	for _, count := range counts {
		total += count
	}
	sort.Slice(times, func(a, b int) bool { return times[a] < times[b] })
	if len(times) == 0 {
		return total, 0
	}
	return total, float64(times[len(times)/2].Nanoseconds()) / 1000
}

// groupcache has no call for several keys: a goroutine each is what its users write.
func (asker getter) getBatch(first, count int) {
	if count == 1 {
		asker.get(asker.keys[first%len(asker.keys)])
		return
	}
	var batch sync.WaitGroup
	batch.Add(count)
	for index := first; index < first+count; index++ {
		go func(key string) {
			defer batch.Done()
			asker.get(key)
		}(asker.keys[index%len(asker.keys)])
	}
	batch.Wait()
}

// Microseconds of CPU, user and system, that a process has taken; see src/process-cpu.ts.
func cpuOf(pid int) (float64, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	return float64(atoi(fields[11])+atoi(fields[12])) * 10000, true
}

func atoi(text string) int {
	number, err := strconv.Atoi(text)
	check(err)
	return number
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
