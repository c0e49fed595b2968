//! The way in: the only room that knows actix-web.

mod answer;
mod gate;
mod line;
mod onward;
mod origin;
mod params;
mod server;
mod tls;
mod ui;

pub use gate::Limits;
pub use params::{MalformedEncoding, MergeError, merge, parse_pairs};
pub use server::name_command_by_path;
pub use server::{HttpError, HttpServer, Listener, Options, Probe};
pub use tls::TlsFiles;
pub use ui::Ui;
