package ratelimitredis

// ReadClock makes s read the time from the fields s and n of a hash in Redis,
// instead of the server's clock, by which keys still expire: an hour too late.
func (s *Store) ReadClock(key string) {
	clock := "local time = redis.call('HMGET', '" + key + "', 's', 'n')\n" +
		"local seconds, nanos, linger = tonumber(time[1]), tonumber(time[2]), 3600000\n"
	s.take, s.apply = newScript(clock+takeText), newScript(clock+applyText)
}
