//! The attacks that `docs/security.md` lists, each tried.

mod crowds;
mod documented;
mod files;
mod guesses;
mod injection;
mod limits;
mod paths;
mod proxies;
mod rights;
mod secrets;
mod sessions;
mod signatures;
mod strangers;
mod tls;
mod upstream;
