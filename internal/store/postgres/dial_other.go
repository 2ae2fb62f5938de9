//go:build !linux

package postgres

import "net"

// dialer makes connections as the system does.
func dialer() *net.Dialer { return &net.Dialer{} }
