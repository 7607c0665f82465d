module parsec.test/go-peer

go 1.20

require github.com/golang/groupcache v0.0.0-20241129210726-2c02b8208cf8

require (
	github.com/golang/protobuf v1.5.4 // indirect
	google.golang.org/protobuf v1.33.0 // indirect
)
