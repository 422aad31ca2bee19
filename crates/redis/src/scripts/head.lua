-- The lock of a session, which is a part of its record: the holder's token (16 bytes), the end of its lease in
-- milliseconds (6 bytes, none set if the lock is free), and the first 8 bytes of the token that committed last. The
-- last bit of these is not the token's: it says that somebody may wait in the queue. Set for nobody it costs a look.
-- Numbers for commands are texts where they can be. A number is printed with all its digits before a command gets it,
-- which takes about a third as long as the command does.
local PART, TOKEN, LEASE, LAST, VERSION, FOREVER = '19', 20, 36, 42, 50, 2 ^ 48 - 1
local head = redis.call('GETRANGE', KEYS[1], '0', END)
