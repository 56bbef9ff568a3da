-- KEYS: buckets. ARGV: of each its cost and its tolerance, in ns. Returns 1 if all
-- were charged, else 0; and the debt of each that now stands.
--
-- A value is a format byte, 1; the time when it was written, seconds (8 bytes) and
-- ns (4); and the debt at that time in ns (8). A clock that was set back is taken
-- to stand still until then, and the bucket goes on from there.
local debts, fits, back = {}, 1, false
for i, key in ipairs(KEYS) do
	local debt = 0
	local value = redis.call('GET', key)
	if value then
		if #value ~= 21 or string.byte(value) ~= 1 then
			return redis.error_reply('ERR gatehouse: bucket is damaged')
		end
		local s, n, d = struct.unpack('>I8I4I8', value, 2)
		local elapsed = (seconds - s) * 1e9 + (nanos - n)
		back = back or elapsed < 0
		debt = math.max(0, d - math.max(0, elapsed))
	end
	if debt + tonumber(ARGV[2 * i - 1]) > tonumber(ARGV[2 * i]) then
		fits = 0
	end
	debts[i] = debt
end
if fits == 1 or back then
	for i, key in ipairs(KEYS) do
		debts[i] = debts[i] + fits * tonumber(ARGV[2 * i - 1])
		redis.call('SET', key, '\1' .. struct.pack('>I8I4I8', seconds, nanos, debts[i]),
			'PX', math.ceil(debts[i] / 1e6) + linger)
	end
end
table.insert(debts, 1, fits)
return debts
