package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"net"
	"os"
	"time"
)

// transport is what lies below the protocol: plain TCP unless flags say otherwise.
type transport struct {
	cert, key, ca, name string
	unix                bool
}

// link is the transport of this run.
var link transport

func (t *transport) flags(flags *flag.FlagSet) {
	flags.StringVar(&t.cert, "tls-cert", "", "own certificate (PEM); a server with one speaks TLS")
	flags.StringVar(&t.key, "tls-key", "", "key of the certificate (PEM)")
	flags.StringVar(&t.ca, "ca", "", "authorities (PEM): a client with some speaks TLS, a server asks for certificates")
	flags.StringVar(&t.name, "server-name", "", "name in the server's certificate, if not the host")
	flags.BoolVar(&t.unix, "unix", false, "-addr is the path of a Unix socket")
}

func (t *transport) network() string {
	if t.unix {
		return "unix"
	}
	return "tcp"
}

// config is nil without TLS.
func (t *transport) config(server bool) (*tls.Config, error) {
	if (server && t.cert == "") || (!server && t.ca == "") {
		return nil, nil
	}
	config := &tls.Config{ServerName: t.name}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if t.ca != "" {
		text, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, errors.New("no certificate in " + t.ca)
		}
		if server {
			config.ClientCAs, config.ClientAuth = pool, tls.RequireAndVerifyClientCert
		} else {
			config.RootCAs = pool
		}
	}
	return config, nil
}

func (t *transport) listen(addr string) (net.Listener, error) {
	config, err := t.config(true)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen(t.network(), addr)
	if err != nil || config == nil {
		return listener, err
	}
	return tls.NewListener(listener, config), nil
}

// stream is what TCP, Unix sockets and TLS have in common.
type stream interface {
	net.Conn
	CloseWrite() error
}

func (t *transport) dial(ctx context.Context, addr string) (stream, error) {
	config, err := t.config(false)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 20 * time.Second}
	var conn net.Conn
	if config == nil {
		conn, err = dialer.DialContext(ctx, t.network(), addr)
	} else {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, t.network(), addr)
	}
	if err != nil {
		return nil, err
	}
	return conn.(stream), nil
}
