package lockout

// queue is a list of records, from the one that was left alone the longest to the
// one that was charged or refunded last.
type queue struct {
	oldest, newest *kept
	size           int
}

// push adds a record as the newest.
func (q *queue) push(k *kept) {
	k.older, k.newer = q.newest, nil
	if q.newest == nil {
		q.oldest = k
	} else {
		q.newest.newer = k
	}
	q.newest = k
	q.size++
}

// remove takes out a record, wherever it is.
func (q *queue) remove(k *kept) {
	if k.older == nil {
		q.oldest = k.newer
	} else {
		k.older.newer = k.newer
	}
	if k.newer == nil {
		q.newest = k.older
	} else {
		k.newer.older = k.older
	}
	q.size--
}
