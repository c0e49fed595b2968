//! The way in: the only room that knows actix-web.

mod answer;
mod onward;
mod params;
mod server;

pub use params::{MalformedEncoding, MergeError, merge, parse_pairs};
pub use server::name_command_by_path;
pub use server::{HttpError, HttpServer, Listener, Probe, TlsFiles};
