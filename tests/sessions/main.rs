//! Sessions on the fake engine: what they are, and what becomes of them whatever happens.

mod adopt;
mod life;
mod open;
mod pool;
mod quotas;
mod scale;
mod stage;
