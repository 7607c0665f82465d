// The counterpart of Parsec in the bench: golang/groupcache over HTTP, with one process that owns the keys and
// one client, and with connection limits as its users set them.
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

// A load and its figures: see RemoteLoad and RemoteFigures in src/programs/remote-client.ts.
type load struct {
	Callers       int     `json:"callers"`
	Batch         int     `json:"batch"`
	Seconds       float64 `json:"seconds"`
	WarmUpSeconds float64 `json:"warmUpSeconds"`
}

type figures struct {
	PerSecond   float64  `json:"perSecond"`
	P50Us       float64  `json:"p50Us"`
	ClientCPUUs float64  `json:"clientCpuUs"`
	ServerCPUUs *float64 `json:"serverCpuUs,omitempty"`
}

type getter struct {
	keys      []string
	get       func(string)
	serverPid int
}

func ask(server, self string, keyCount, serverPid int) {
	pool := groupcache.NewHTTPPoolOpts(self, nil)
	transport := &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024}
	pool.Transport = func(context.Context) http.RoundTripper { return transport }
	pool.Set(server, self)
	group := groupcache.NewGroup("values", 0, groupcache.GetterFunc(
		func(_ context.Context, key string, _ groupcache.Sink) error {
			return fmt.Errorf("not the owner of %s", key)
		}))
	client := getter{serverPid: serverPid, get: func(key string) {
		var value []byte
		check(group.Get(context.Background(), key, groupcache.AllocatingByteSliceSink(&value)))
	}}
	for index := 0; len(client.keys) < keyCount; index++ {
		key := "user:" + strconv.Itoa(index)
		if _, remote := pool.PickPeer(key); remote {
			client.keys = append(client.keys, key)
		}
	}
	for _, key := range client.keys {
		client.get(key)
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
		client.measure(next, next.WarmUpSeconds)
		check(json.NewEncoder(os.Stdout).Encode(client.measure(next, next.Seconds)))
	}
}

func (client getter) measure(wanted load, seconds float64) figures {
	serverBefore, known := cpuOf(client.serverPid)
	before, _ := cpuOf(os.Getpid())
	start := time.Now()
	answered, p50 := client.run(wanted, start.Add(time.Duration(seconds*float64(time.Second))))
	elapsed := time.Since(start).Seconds()
	after, _ := cpuOf(os.Getpid())
	serverAfter, _ := cpuOf(client.serverPid)
	result := figures{
		PerSecond:   float64(answered) / elapsed,
		P50Us:       p50,
		ClientCPUUs: (after - before) / float64(answered),
	}
	if known {
		serving := (serverAfter - serverBefore) / float64(answered)
		result.ServerCPUUs = &serving
	}
	return result
}

func (client getter) run(wanted load, end time.Time) (int, float64) {
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
				client.getBatch(index, wanted.Batch)
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

// groupcache cannot get several keys in one call; its users start one goroutine per key.
func (client getter) getBatch(first, count int) {
	if count == 1 {
		client.get(client.keys[first%len(client.keys)])
		return
	}
	var batch sync.WaitGroup
	batch.Add(count)
	for index := first; index < first+count; index++ {
		go func(key string) {
			defer batch.Done()
			client.get(key)
		}(client.keys[index%len(client.keys)])
	}
	batch.Wait()
}

// The CPU time (user and system) of a process in microseconds; see src/process-cpu.ts.
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
