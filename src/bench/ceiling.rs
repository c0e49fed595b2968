//! What can be reached at the most: a bare handler that verifies the signature with the same code as the gateway and answers a
//! constant.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;

use super::load::Signer;
use crate::auth::dialect;
use crate::http;

struct Known {
    keys: Signer,
    body: Bytes,
}

/// Answers `bytes` bytes to whoever signs with these keys, until the process ends. Says on standard output where.
///
/// # Errors
/// When no port can be opened.
pub async fn serve(keys: Signer, bytes: usize, workers: usize) -> io::Result<()> {
    let known = web::Data::from(Arc::new(Known { keys, body: vec![b'x'; bytes].into() }));
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/client/api", socket.local_addr()?);
    HttpServer::new(move || App::new().app_data(known.clone()).default_service(web::to(answer)))
        .workers(workers)
        .listen(socket)?
        .run()
        .await
}

async fn answer(request: HttpRequest, known: web::Data<Known>) -> HttpResponse {
    let Ok(pairs) = http::merge(request.query_string().as_bytes(), &[]) else {
        return HttpResponse::BadRequest().finish();
    };
    let borrowed = || pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let value = |wanted: &str| borrowed().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
    let is_known = value("apikey") == Some(&known.keys.api_key);
    match value("signature") {
        Some(signed) if is_known && dialect::verify(&known.keys.secret_key, borrowed(), signed).is_some() => {
            HttpResponse::Ok()
                .insert_header((header::CONTENT_TYPE, "application/json;charset=utf-8"))
                .body(known.body.clone())
        }
        _ => HttpResponse::Unauthorized().finish(),
    }
}
