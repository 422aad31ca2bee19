//! What stops a handler midway, or answers in its place.
