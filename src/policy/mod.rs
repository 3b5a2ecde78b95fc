//! Choosing tags.
