-- What a script answers: a code; or a list of the code, the server's time in milliseconds, and whatever belongs to the
-- code.
-- The first three codes, and the last, are also the first byte of a stored value, which says what stands there.
local MISSING, RECORD, TOMBSTONE, ALIAS, LOST, BUSY = 0, 1, 2, 3, 4, 5
local EXISTS, REWRITTEN, LATE, APART, ARRIVING = 6, 7, 8, 9, 10
