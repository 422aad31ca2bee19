#!lua flags=allow-oom
-- Releases a lock without a record, and removes the entry from the queue.
-- KEYS: lock, queue or nothing. ARGV: token, '1' if the token may be in the queue.
-- include: codes, reply, plain_lock, queue, release
