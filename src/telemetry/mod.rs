//! What tells how it goes: what a service's operators look at, are called by, and can prove afterwards.
