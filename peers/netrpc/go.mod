module farcall.test/netrpcpeer

go 1.26.0
