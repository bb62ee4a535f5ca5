//! Sessions on the running engine: what becomes of them is looked at there, by other connections than the manager's.

#[path = "../common/mod.rs"]
mod common;
mod hogs;
mod outside;
mod ready;
mod stage;
mod two;
mod volumes;
mod warm;
