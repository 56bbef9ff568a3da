-- KEYS[1] a session. ARGV: the version that must be there, 8 bytes (0: none); the
-- new version, 8 bytes; the new expiry in ms; until when the subject's list has
-- the session, in ms, or 0 for what the old value says; what follows in the value.
-- Returns 1 if the value was replaced, 0 if another version is there, and 2 if
-- the list must be written first, for longer.
local function damaged()
	return redis.error_reply('ERR gatehouse: record is damaged, or of a later version')
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expiry, listed = tonumber(ARGV[3]), tonumber(ARGV[4])
local version = '\0\0\0\0\0\0\0\0'
local old = redis.call('GET', KEYS[1])
if old then
	if #old < 27 or string.byte(old) ~= 1 then
		return damaged()
	end
	local oldexpiry, oldlisted, subject = struct.unpack('>i8i8I2', old, 10)
	if #old < 27 + subject then
		return damaged()
	end
	if oldexpiry > now then
		version = string.sub(old, 2, 9)
		listed = math.max(listed, oldlisted)
	end
end
if version ~= ARGV[1] then
	return 0
end
if expiry > listed then
	return 2
end
redis.call('SET', KEYS[1], '\1' .. ARGV[2] .. struct.pack('>i8i8', expiry, listed) .. ARGV[5], 'PXAT', string.format('%.0f', math.max(expiry, 1)))
return 1
