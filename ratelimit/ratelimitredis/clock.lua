-- The server's clock, and how many ms state is kept longer than it is needed.
local time = redis.call('TIME')
local seconds, nanos, linger = tonumber(time[1]), time[2] * 1000, 1
