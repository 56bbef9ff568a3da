-- KEYS[1] a session. Returns seconds, microseconds, and the value or nothing.
local now = redis.call('TIME')
return {now[1], now[2], redis.call('GET', KEYS[1])}
