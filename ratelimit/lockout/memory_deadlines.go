package lockout

// deadlines is a heap of records: the first one expires first. A heap, and not a list,
// since lockouts with different windows share a store, so that a new record may expire
// before an old one.
type deadlines []deadline

// deadline is one record and when it expires.
type deadline struct {
	until  int64 // of the record, here as well: comparing costs no cache miss
	record *kept
}

// expired reports whether the first has.
func (h deadlines) expired(now int64) bool { return len(h) > 0 && h[0].until <= now }

// push adds a record.
func (h *deadlines) push(k *kept) {
	*h = append(*h, deadline{k.until, k})
	h.up(len(*h) - 1)
}

// remove takes out the record at place i, and puts the last one there.
func (h *deadlines) remove(i int) {
	last := len(*h) - 1
	moved := (*h)[last]
	(*h)[last] = deadline{} // or the collector would keep the record
	*h = (*h)[:last]
	if i == last {
		return
	}
	h.set(i, moved)
	h.settle(i)
}

// update puts k where it now belongs.
func (h deadlines) update(k *kept) {
	h[k.place].until = k.until
	h.settle(k.place)
}

// settle moves the record at place i to where it belongs, up or down.
func (h deadlines) settle(i int) {
	k := h[i].record
	h.up(i)
	h.down(k.place)
}

// set notes in the record where it is, so that it can be found again.
func (h deadlines) set(i int, d deadline) {
	h[i] = d
	d.record.place = i
}

// children is how many records are below each. Four take half as many levels as two,
// and are in one cache line.
const children = 4

func (h deadlines) up(i int) {
	d := h[i]
	for i > 0 {
		parent := (i - 1) / children
		if h[parent].until <= d.until {
			break
		}
		h.set(i, h[parent])
		i = parent
	}
	h.set(i, d)
}

func (h deadlines) down(i int) {
	d := h[i]
	for {
		first := i*children + 1
		if first >= len(h) {
			break
		}
		least := first
		for c := first + 1; c < min(first+children, len(h)); c++ {
			if h[c].until < h[least].until {
				least = c
			}
		}
		if h[least].until >= d.until {
			break
		}
		h.set(i, h[least])
		i = least
	}
	h.set(i, d)
}
