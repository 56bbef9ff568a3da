-- KEYS[1]: a record. ARGV: charge, refund, clear or peek; the receipt, 8 bytes; the
-- tries; window and block, each as seconds and ns. Returns the number of charges,
-- and the time for which the record still blocks as seconds and ns.
--
-- A value is a format byte, and of each charge, oldest first, the time as seconds (8
-- bytes) and ns (4), and the receipt. Spans may be above 2^53 ns, so seconds and ns
-- are never joined. Every later version reads this one.
--
-- The lower seven bits of the format byte are the version, 1. The highest says that an
-- extension follows it: a byte with its length, and so many bytes. Nothing writes one
-- today. A version or an extension that is not known is refused: what can't be read may
-- be the reason for a block.
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
local format = string.byte(value)
if format == 129 then
	return redis.error_reply('ERR gatehouse: record has an extension, and none can be read')
elseif format ~= 1 then
	return redis.error_reply('ERR gatehouse: record is not of version 1, and no other can be read')
elseif #value % 20 ~= 1 then
	return redis.error_reply('ERR gatehouse: record is damaged')
end
for i = 2, #value, 20 do
	local s, n, r = struct.unpack('>I8I4c8', value, i)
	charges[#charges + 1] = {s = s, n = n, r = r}
end

-- A clock that was set back: the record moves with it. Left as it is, a charge of the
-- future would block for longer than block.
local last = charges[#charges]
if last then
	local s, n = left(last, {0, 0})
	if s > 0 or s == 0 and n > 0 then
		for _, c in ipairs(charges) do
			c.s, c.n = carry(c.s - s, c.n - n)
		end
	end
end

-- Forget what has expired: of a full record all at once, else one by one.
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
	-- A charge that was found was sent again, since its reply was lost.
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
		-- The charge that fills the record still buys a look.
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
