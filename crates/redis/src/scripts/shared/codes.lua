-- The code of a reply. A script replies with a code alone, or with a list of the code, the server's time in
-- milliseconds, and the values that belong to the code. Codes 1, 2, 3 and 10 are also the first byte of a stored
-- value, which says what kind of value it is.
local MISSING, RECORD, TOMBSTONE, ALIAS, LOST, BUSY = 0, 1, 2, 3, 4, 5
local EXISTS, REWRITTEN, LATE, APART, ARRIVING = 6, 7, 8, 9, 10
