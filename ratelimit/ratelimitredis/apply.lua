-- KEYS[1]: a log. ARGV: charge, refund, clear or peek; the receipt, 8 bytes; the
-- tries; window and block, each as seconds and ns. Returns the number of charges,
-- and the time for which the log still blocks as seconds and ns.
--
-- A value is a format byte, 1, and of each charge, oldest first, the time as
-- seconds (8 bytes) and ns (4), and the receipt. Spans may be above 2^53 ns, so
-- seconds and ns are never joined.
local op, receipt, tries = ARGV[1], ARGV[2], tonumber(ARGV[3])
local window = {tonumber(ARGV[4]), tonumber(ARGV[5])}
local block = {tonumber(ARGV[6]), tonumber(ARGV[7])}

local function carry(s, n)
	if n < 0 then
		return s - 1, n + 1e9
	elseif n >= 1e9 then
		return s + 1, n - 1e9
	end
	return s, n
end

-- left is how much of span is left since c was charged, negative if it is over.
local function left(c, span)
	local s, n = carry(c.s + span[1], c.n + span[2])
	return carry(s - seconds, n - nanos)
end

local function passed(c, span)
	local s, n = left(c, span)
	return s < 0 or s == 0 and n == 0
end

local charges = {}
local value = redis.call('GET', KEYS[1]) or '\1'
if #value % 20 ~= 1 or string.byte(value) ~= 1 then
	return redis.error_reply('ERR gatehouse: log is damaged')
end
for i = 2, #value, 20 do
	local s, n, r = struct.unpack('>I8I4c8', value, i)
	charges[#charges + 1] = {s = s, n = n, r = r}
end

-- A clock that was set back: the log moves with it.
local last = charges[#charges]
if last then
	local s, n = left(last, {0, 0})
	if s > 0 or s == 0 and n > 0 then
		for _, c in ipairs(charges) do
			c.s, c.n = carry(c.s - s, c.n - n)
		end
	end
end

-- Forget what has expired: of a full log all at once, else one by one.
if #charges < tries then
	while charges[1] and passed(charges[1], window) do
		table.remove(charges, 1)
	end
elseif passed(last, block) then
	charges = {}
end

local made = false
if op == 'clear' then
	charges = {}
elseif op ~= 'peek' then
	for i = #charges, 1, -1 do
		if charges[i].r == receipt then
			made = op == 'charge'
			if op == 'refund' then
				table.remove(charges, i)
			end
		end
	end
	if op == 'charge' and not made and #charges < tries then
		charges[#charges + 1] = {s = seconds, n = nanos, r = receipt}
		made = true
	end
end

local wait, rest = {0, 0}, {0, 0}
last = charges[#charges]
if last then
	if #charges >= tries then
		rest = {left(last, block)}
		if not made then
			wait = rest
		end
	else
		rest = {left(last, window)}
	end
end

local parts = {'\1'}
for i, c in ipairs(charges) do
	parts[i + 1] = struct.pack('>I8I4c8', c.s, c.n, c.r)
end
local after = table.concat(parts)
if #charges == 0 then
	redis.call('DEL', KEYS[1])
elseif after ~= value then
	redis.call('SET', KEYS[1], after, 'PX', rest[1] * 1000 + math.ceil(rest[2] / 1e6) + linger)
end
return {#charges, wait[1], wait[2]}
