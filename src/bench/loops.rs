//! The hot paths, over and over in one process: what `callgrind` counts the instructions of.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::estate::{Size, seed};
use super::load::Signer;
use super::{BenchError, submits};
use crate::api::ApiError;
use crate::commands::{JobDesk, JobDraft, Policy};
use crate::dispatch::{Gateway, RawRequest, Verb};
use crate::http;
use crate::model::JobStatus;
use crate::motion::{Motion, Patience};
use crate::store::{Claim, Store, StoreError, Submission, transact};

/// A hot path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum HotPath {
    /// A poll of a job that has ended, from its parameters to its body.
    Poll,
    /// A page of 100 machines.
    Page,
    /// A request with a key that nobody has.
    Stranger,
}

/// Takes no jobs: nothing that is measured submits one.
struct NoDesk;

impl JobDesk for NoDesk {
    fn earlier<'a>(&'a self, _: i64, _: &'a Submission) -> BoxFuture<'a, Result<Option<String>, ApiError>> {
        Box::pin(async { Ok(None) })
    }

    fn submit<'a>(&'a self, _: JobDraft) -> BoxFuture<'a, Result<String, ApiError>> {
        Box::pin(async { Err(ApiError::service_unavailable("no jobs are taken")) })
    }
}

/// Goes so many times along a hot path.
///
/// # Errors
/// When an answer is not the expected one.
pub(super) async fn run(path: HotPath, times: u32) -> Result<(), BenchError> {
    let store = Store::open("sqlite::memory:").await?;
    let signer = Signer::of(&store).await?;
    seed(&store, &Size::of(1_000)).await?;
    let job = ended_job(&store).await?;
    let stranger = Signer { api_key: "nobody".to_owned(), ..signer.clone() };
    let (path, status) = match path {
        HotPath::Poll => (signer.path("queryAsyncJobResult", &[("jobid", &job)]), 200),
        HotPath::Page => {
            (signer.path("listVirtualMachines", &[("listall", "true"), ("page", "1"), ("pagesize", "100")]), 200)
        }
        HotPath::Stranger => (stranger.path("queryAsyncJobResult", &[("jobid", &job)]), 401),
    };
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let gateway = Gateway::new(Arc::new(Motion::new(store, Patience::default())), Arc::new(NoDesk), Policy::default());
    for number in 0..times {
        let pairs = http::merge(query.as_bytes(), &[]).map_err(|cause| BenchError::Unexpected(cause.to_string()))?;
        let request = RawRequest {
            pairs,
            cookies: Vec::new(),
            session_in_path: None,
            verb: Verb::Get,
            // Each from elsewhere, so that nobody is told to wait.
            peer: IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)),
            is_encrypted: false,
            is_cross_site: false,
            resume_after: None,
            request_id: "loop".into(),
            original: None,
        };
        let answer = gateway.answer(request).await;
        if answer.status() != status {
            return Err(BenchError::Unexpected(format!(
                "an answer with status {} instead of {status}",
                answer.status()
            )));
        }
    }
    Ok(())
}

/// A job that has ended as a moved volume does.
async fn ended_job(store: &Store) -> Result<String, BenchError> {
    let (id, Claim { job_id, .. }) = submits::write(store, &submits::gateway_of(store).await?).await?;
    let fields: Vec<String> = (0..40).map(|at| format!("\"field{at}\":\"a value of usual length {at}\"")).collect();
    let result = format!("org.apache.cloudstack.api.response.VolumeResponse/volume/{{{}}}", fields.join(","));
    transact!(store, StoreError, |tx| {
        tx.job_finish(job_id, JobStatus::Succeeded, 0, &result).await?;
        Ok(())
    })?;
    Ok(id)
}
