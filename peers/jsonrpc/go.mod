module farcall.test/jsonrpcpeer

go 1.26.0

require (
	github.com/gorilla/rpc v1.2.1
	github.com/powerman/rpc-codec v1.2.2
	github.com/sourcegraph/jsonrpc2 v0.2.1
)
