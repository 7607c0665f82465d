// The peer that Parsec is measured against: golang/groupcache over HTTP, one process that owns the
// keys and one that asks, with connections tuned as its users tune them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
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

const keyCount = 10000

func main() {
	runtime.GOMAXPROCS(1)
	switch os.Args[1] {
	case "server":
		serve(os.Args[2])
	case "client":
		ask(os.Args[2], os.Args[3], atoi(os.Args[4]), atof(os.Args[5]))
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

func ask(server, self string, callers int, seconds float64) {
	pool := groupcache.NewHTTPPoolOpts(self, nil)
	transport := &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024}
	pool.Transport = func(context.Context) http.RoundTripper { return transport }
	pool.Set(server, self)
	group := groupcache.NewGroup("values", 0, groupcache.GetterFunc(
		func(_ context.Context, key string, _ groupcache.Sink) error {
			return fmt.Errorf("not the owner of %s", key)
		}))
	var keys []string
	for index := 0; len(keys) < keyCount; index++ {
		key := "user:" + strconv.Itoa(index)
		if _, remote := pool.PickPeer(key); remote {
			keys = append(keys, key)
		}
	}
	get := func(key string) {
		var value []byte
		check(group.Get(context.Background(), key, groupcache.AllocatingByteSliceSink(&value)))
	}
	for _, key := range keys {
		get(key)
	}
	run(keys, get, callers, 0.5)
	perSecond, p50 := run(keys, get, callers, seconds)
	check(json.NewEncoder(os.Stdout).Encode(map[string]float64{"perSecond": perSecond, "p50Us": p50}))
}

func run(keys []string, get func(string), callers int, seconds float64) (float64, float64) {
	start := time.Now()
	end := start.Add(time.Duration(seconds * float64(time.Second)))
	counts := make([]int, callers)
	var times []time.Duration
	var group sync.WaitGroup
	for caller := 0; caller < callers; caller++ {
		group.Add(1)
		go func(caller int) {
			defer group.Done()
			for index := caller * 17; ; index++ {
				asked := time.Now()
				if asked.After(end) {
					return
				}
				get(keys[index%len(keys)])
				counts[caller]++
				if callers == 1 {
					times = append(times, time.Since(asked))
				}
			}
		}(caller)
	}
	group.Wait()
	elapsed := time.Since(start).Seconds()
	total := 0
	for _, count := range counts {
		total += count
	}
	sort.Slice(times, func(a, b int) bool { return times[a] < times[b] })
	p50 := 0.0
	if len(times) > 0 {
		p50 = float64(times[len(times)/2].Nanoseconds()) / 1000
	}
	return float64(total) / elapsed, p50
}

func atoi(text string) int { number, err := strconv.Atoi(text); check(err); return number }

func atof(text string) float64 {
	number, err := strconv.ParseFloat(text, 64)
	check(err)
	return number
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
