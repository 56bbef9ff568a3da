package claims

import (
	"maps"
	"strings"
	"sync/atomic"

	"github.com/gatehouse-go/gatehouse/claims/internal/jws"
)

const (
	maxHeaders     = 64
	maxHeaderBytes = 1024
)

// headerMemory remembers what encoded headers say, because the tokens of one
// key all begin with the same. Only headers of tokens whose signature held get
// in, so strangers can't fill it; at its bound it starts anew. Reads take no
// lock.
type headerMemory struct {
	known atomic.Pointer[map[string]*jws.Header]
}

func (h *headerMemory) recall(segment string) *jws.Header {
	if known := h.known.Load(); known != nil {
		return (*known)[segment]
	}
	return nil
}

func (h *headerMemory) remember(segment string, said *jws.Header) {
	known := h.known.Load()
	if len(segment) > maxHeaderBytes || known != nil && (*known)[segment] != nil {
		return
	}
	next := make(map[string]*jws.Header)
	if known != nil && len(*known) < maxHeaders {
		maps.Copy(next, *known)
	}
	// A copy of the segment, so that the rest of the token is not kept with it.
	next[strings.Clone(segment)] = said
	h.known.CompareAndSwap(known, &next)
}
