package postgres

import (
	"net"
	"strings"
	"syscall"
)

// tcpUserTimeout is TCP_USER_TIMEOUT, which the syscall package lacks. See tcp(7).
const tcpUserTimeout = 0x12

// dialer makes connections that break when the other side does not acknowledge what was sent, as after a power cut or
// behind a firewall that forgot them. Without it that takes a quarter of an hour.
func dialer() *net.Dialer {
	return &net.Dialer{
		Control: func(network, _ string, conn syscall.RawConn) (err error) {
			if !strings.HasPrefix(network, "tcp") {
				return nil
			}
			outer := conn.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(patience.Milliseconds()))
			})
			if err == nil {
				err = outer
			}
			return err
		},
	}
}
