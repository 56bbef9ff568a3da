-- KEYS[1] the list of a subject: sessions, scored with the time in ms until which
-- they are listed. ARGV: a session, and its expiry in ms. Lists the session for
-- twice as long as it has to live, so that few refreshes need to list it again,
-- and returns until when. What has been over for a day is removed: the clock of
-- the machine that has the session may differ.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = 24 * 60 * 60 * 1000
local expiry = tonumber(ARGV[2])
local listed = expiry + math.max(0, expiry - now)
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', listed), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - day))
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if last[2] then
	redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(last[2]) + day))
end
return string.format('%.0f', listed)
