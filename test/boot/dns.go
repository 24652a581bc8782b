package boot

import (
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// answer is the cloud's resolver: it knows the names of a table, and that no other
// exists. It ends when the socket is closed.
func answer(socket net.PacketConn, table map[string]string) {
	buffer := make([]byte, 1500)
	for {
		size, from, err := socket.ReadFrom(buffer)
		if err != nil {
			return
		}
		if reply, err := reply(buffer[:size], table); err == nil {
			_, _ = socket.WriteTo(reply, from)
		}
	}
}

func reply(query []byte, table map[string]string) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	message.Response, message.RecursionAvailable, message.Authoritative = true, true, false
	message.Answers, message.Authorities, message.Additionals = nil, nil, nil
	for _, question := range message.Questions {
		address, err := netip.ParseAddr(table[strings.ToLower(strings.TrimSuffix(question.Name.String(), "."))])
		switch {
		case err != nil:
			message.RCode = dnsmessage.RCodeNameError
		case question.Type == dnsmessage.TypeA:
			message.Answers = append(message.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 5},
				Body:   &dnsmessage.AResource{A: address.As4()},
			})
		}
	}
	return message.Pack()
}
