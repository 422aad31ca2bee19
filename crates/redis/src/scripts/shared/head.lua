-- Reads the first bytes of the record. The lock is a part of it: the holder's token (16 bytes), the end of its lease
-- in milliseconds (6 bytes, all zero if the lock is free), and the first 8 bytes of the token that committed last. The
-- last bit of these does not belong to the token. It is the waiters mark: if it is not set, the queue is empty. If it
-- is set although the queue is empty, that costs one look at the queue. Numbers in commands are strings where
-- possible. Lua prints a number with all its digits before a command gets it, which takes about a third as long as the
-- command itself.
local PART, TOKEN, LEASE, LAST, VERSION, FOREVER = '19', 20, 36, 42, 50, 2 ^ 48 - 1
local head = redis.call('GETRANGE', KEYS[1], '0', END)
