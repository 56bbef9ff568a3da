-- KEYS: buckets. ARGV: of each its cost and its tolerance, in ns. Returns the debt of
-- each that now stands, or -1 minus that if they were not charged. The debt of a single
-- bucket comes without a list around it, which is faster.
--
-- A value is a format byte, 1; the time when it was written, seconds (8 bytes) and
-- ns (4); and the debt at that time in ns (8). A bucket that was written in the future,
-- as the clock was set back since, goes on from now with the debt it has.
local debts, fits, back = {}, true, false
for i = 1, #KEYS do
	local debt = 0
	local value = redis.call('GET', KEYS[i])
	if value then
		if #value ~= 21 or string.byte(value) ~= 1 then
			return redis.error_reply('ERR gatehouse: bucket is damaged or of another version')
		end
		local s, n, d = struct.unpack('>I8I4I8', value, 2)
		local elapsed = (seconds - s) * 1e9 + (nanos - n)
		if elapsed < 0 then
			back, elapsed = true, 0
		end
		debt = math.max(0, d - elapsed)
	end
	if debt + ARGV[2 * i - 1] > tonumber(ARGV[2 * i]) then
		fits = false
	end
	debts[i] = debt
end
for i = 1, #KEYS do
	local debt = debts[i]
	if fits then
		debt = debt + ARGV[2 * i - 1]
	end
	if fits or back then
		redis.call('SET', KEYS[i], struct.pack('>BI8I4I8', 1, seconds, nanos, debt),
			'PX', math.ceil(debt / 1e6) + linger)
	end
	debts[i] = fits and debt or -1 - debt
end
return debts[2] and debts or debts[1]
