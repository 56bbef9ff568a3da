package lockout

// deadlines is a heap of records: the first expires first. The times stand in the
// heap itself, as looking them up in the records would cost a cache miss each.
type deadlines []deadline

type deadline struct {
	until  int64
	record *kept
}

// expired reports whether the first has.
func (h deadlines) expired(now int64) bool { return len(h) > 0 && h[0].until <= now }

func (h *deadlines) push(k *kept) {
	*h = append(*h, deadline{k.until, k})
	h.up(len(*h) - 1)
}

// remove takes out the record at place i, and puts the last one there.
func (h *deadlines) remove(i int) {
	last := len(*h) - 1
	moved := (*h)[last]
	(*h)[last] = deadline{}
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

func (h deadlines) settle(i int) {
	k := h[i].record
	h.up(i)
	h.down(k.place)
}

func (h deadlines) set(i int, d deadline) {
	h[i] = d
	d.record.place = i
}

// children is how many each has: with four of them two levels do what two have
// four for, and those four are in one cache line.
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
