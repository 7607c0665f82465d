// A node of golang/groupcache for the interoperability test: it says which port it got, learns the
// ring from its standard input, and tells on its standard output what it is asked there.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/golang/groupcache"
)

// A command comes as one line of JSON; so does its answer. Keys and values travel as hex.
type command struct {
	Do    string   `json:"do"` // "ring", "owners", "get", "loads"
	Self  string   `json:"self,omitempty"`
	Mux   bool     `json:"mux,omitempty"` // mount the pool on a ServeMux, which cleans paths
	Peers []string `json:"peers,omitempty"`
	Keys  []string `json:"keys,omitempty"`
}

type answer struct {
	Owners []string `json:"owners,omitempty"` // "" for this node
	Values []string `json:"values,omitempty"`
	Errors []string `json:"errors,omitempty"`
	Loads  int64    `json:"loads"`
	Peer   int64    `json:"peer"` // answers that came from a peer
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)

	var pool *groupcache.HTTPPool
	var loads atomic.Int64
	getter := func(_ context.Context, key string, dest groupcache.Sink) error {
		loads.Add(1)
		if strings.HasPrefix(key, "fails") {
			return errors.New("go: no such row")
		}
		return dest.SetBytes([]byte("go:" + key))
	}
	group := groupcache.NewGroup("g", 1<<20, groupcache.GetterFunc(getter))

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var c command
		check(json.Unmarshal(lines.Bytes(), &c))
		a := answer{}
		switch c.Do {
		case "ring":
			pool = groupcache.NewHTTPPoolOpts(c.Self, &groupcache.HTTPPoolOptions{})
			pool.Set(c.Peers...)
			var handler http.Handler = pool
			if c.Mux {
				mux := http.NewServeMux()
				mux.Handle("/_groupcache/", pool)
				handler = mux
			}
			go http.Serve(listener, handler)
		case "owners":
			for _, key := range c.Keys {
				a.Owners = append(a.Owners, ownerOf(pool, unhex(key)))
			}
		case "get":
			for _, key := range c.Keys {
				var value []byte
				err := group.Get(context.Background(), unhex(key), groupcache.AllocatingByteSliceSink(&value))
				a.Values = append(a.Values, hex.EncodeToString(value))
				text := ""
				if err != nil {
					text = err.Error()
				}
				a.Errors = append(a.Errors, text)
			}
		}
		a.Loads = loads.Load()
		a.Peer = group.Stats.PeerLoads.Get()
		check(out.Encode(a))
	}
}

// The pool does not tell whom it would ask, but whom it asks shows in the URL of the getter it returns.
func ownerOf(pool *groupcache.HTTPPool, key string) string {
	peer, remote := pool.PickPeer(key)
	if !remote {
		return ""
	}
	text := fmt.Sprintf("%+v", peer)
	from := strings.Index(text, "http://")
	to := strings.Index(text[from:], "/_groupcache/")
	return text[from : from+to]
}

func unhex(text string) string {
	bytes, err := hex.DecodeString(text)
	check(err)
	return string(bytes)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
