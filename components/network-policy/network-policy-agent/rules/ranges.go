package rules

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// span is numbers from first to last: IPv4 addresses, or ports.
type span struct{ first, last uint32 }

// spans are numbers; any order, and they may overlap until they are joined.
type spans []span

// joined are the same numbers, ordered, as few spans as there can be.
func (given spans) joined() spans {
	ordered := slices.Clone(given)
	slices.SortFunc(ordered, func(one, other span) int {
		switch {
		case one.first < other.first:
			return -1
		case one.first > other.first:
			return 1
		default:
			return 0
		}
	})
	var found spans
	for _, each := range ordered {
		if last := len(found) - 1; last >= 0 && uint64(each.first) <= uint64(found[last].last)+1 {
			found[last].last = max(found[last].last, each.last)
			continue
		}
		found = append(found, each)
	}
	return found
}

// without are the numbers that are in none of the others.
func (given spans) without(others spans) spans {
	left := given
	for _, hole := range others {
		var next spans
		for _, each := range left {
			if hole.last < each.first || each.last < hole.first {
				next = append(next, each)
				continue
			}
			if each.first < hole.first {
				next = append(next, span{each.first, hole.first - 1})
			}
			if hole.last < each.last {
				next = append(next, span{hole.last + 1, each.last})
			}
		}
		left = next
	}
	return left
}

// addressSpan is one address.
func addressSpan(address netip.Addr) span {
	number := numberOf(address)
	return span{number, number}
}

// blockSpan is the addresses of a CIDR; false for one of IPv6, since pods have IPv4 alone.
func blockSpan(cidr string) (span, bool) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil || !prefix.Addr().Is4() {
		return span{}, false
	}
	first := numberOf(prefix.Masked().Addr())
	return span{first, first | uint32(uint64(1)<<(32-prefix.Bits())-1)}, true
}

func numberOf(address netip.Addr) uint32 {
	bytes := address.As4()
	return binary.BigEndian.Uint32(bytes[:])
}

func addressText(number uint32) string {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, number))).String()
}

func portText(number uint32) string { return fmt.Sprint(number) }

// listed is `a, b-c`, as nft reads it.
func (given spans) listed(text func(uint32) string) string {
	var parts []string
	for _, each := range given.joined() {
		if each.first == each.last {
			parts = append(parts, text(each.first))
		} else {
			parts = append(parts, text(each.first)+"-"+text(each.last))
		}
	}
	return strings.Join(parts, ", ")
}
