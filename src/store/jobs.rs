//! Asynchronous jobs: CloudStack's `async_job` row and, beside it, what our worker needs (`motion_job`).

use super::lists::below;
use super::value::Row;
use super::{Claim, Server, Store, StoreError, Submission, Tx, transact};
use crate::args;
use crate::model::{JobEvent, JobStatus, Machine as _, Timestamp};

/// A job to be written.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Public id.
    pub uuid: String,
    /// API name of the command, `migrateVolume`.
    pub command: String,
    /// CloudStack's class of the command, which clients see as `cmd`.
    pub class: String,
    /// The parameters as the worker reads them back: a JSON object of texts.
    pub parameters: String,
    /// The caller's user.
    pub user_id: i64,
    /// The caller's account.
    pub account_id: i64,
    /// What the job is about: CloudStack's type name and the internal id.
    pub instance: Option<(String, i64)>,
    /// The id of the request that submitted it; it stands in every log line of the job.
    pub request_id: String,
    /// What its submission is known by.
    pub submission: Submission,
}

/// A job as the worker gets it.
#[derive(Clone, Debug)]
pub struct QueuedJob {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// API name of the command.
    pub command: String,
    /// The parameters, a JSON object of texts.
    pub parameters: String,
    /// The caller's user.
    pub user_id: i64,
    /// The caller's account.
    pub account_id: i64,
    /// The event that announced it.
    pub start_event_id: i64,
    /// The id of the request that submitted it.
    pub request_id: String,
    /// The epoch of the latest claim of it.
    pub epoch: i64,
}

/// A job as clients see it (`contract/api-protocol.md` 7.3).
#[derive(Clone, Debug)]
pub struct JobRow {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// The caller's account: public id, name, internal id.
    pub account_uuid: String,
    /// Name of the account.
    pub account: String,
    /// Internal id of the account.
    pub account_id: i64,
    /// Domain's public id.
    pub domain_uuid: String,
    /// Domain's path, `/a/b/`.
    pub domain_path: String,
    /// The caller's user, public id.
    pub user_uuid: String,
    /// CloudStack's class of the command.
    pub class: String,
    /// 0 running, 1 succeeded, 2 failed.
    pub status: i64,
    /// Percent, 0 to 100.
    pub percent: i64,
    /// 0, or the error code of a failed job.
    pub result_code: i64,
    /// `<class>/<object name>/<JSON>`, `<class>/<JSON>`, or plain text after another server's crash.
    pub result: Option<String>,
    /// CloudStack's type name of what the job is about.
    pub instance_type: Option<String>,
    /// Public id of what the job is about, while it has one.
    pub instance_uuid: Option<String>,
    /// The server that runs it: public id and name, while one does.
    pub server: Option<(String, String)>,
    /// When it was submitted.
    pub created: Option<Timestamp>,
    /// When it ended.
    pub completed: Option<Timestamp>,
}

/// Which unfinished jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only this account's.
    pub account_id: Option<i64>,
    /// Only jobs of accounts in this domain or, when the flag is set, below it.
    pub domain: Option<(String, bool)>,
    /// Only those created since.
    pub since: Option<Timestamp>,
    /// Only those whose class contains this.
    pub keyword: Option<String>,
    /// Only those about this: type and internal id.
    pub instance: Option<(String, Option<i64>)>,
    /// Only those that this server runs.
    pub server_id: Option<i64>,
}

const JOB: &str = "SELECT j.id, j.uuid, j.account_id, a.uuid AS account_uuid, a.account_name, d.uuid AS domain_uuid, d.path, \
    u.uuid AS user_uuid, j.job_cmd, j.job_status, j.job_process_status, j.job_result_code, j.job_result, j.instance_type, \
    j.created, j.last_updated, m.uuid AS server_uuid, m.name AS server_name, \
    CASE j.instance_type WHEN 'Volume' THEN (SELECT v.uuid FROM volumes v WHERE v.id = j.instance_id) \
    WHEN 'VirtualMachine' THEN (SELECT v.uuid FROM vm_instance v WHERE v.id = j.instance_id) \
    WHEN 'Host' THEN (SELECT h.uuid FROM host h WHERE h.id = j.instance_id) \
    WHEN 'StoragePool' THEN (SELECT p.uuid FROM storage_pool p WHERE p.id = j.instance_id) \
    WHEN 'Cluster' THEN (SELECT c.uuid FROM cluster c WHERE c.id = j.instance_id) \
    WHEN 'Account' THEN (SELECT o.uuid FROM account o WHERE o.id = j.instance_id) \
    WHEN 'User' THEN (SELECT w.uuid FROM user w WHERE w.id = j.instance_id) END AS instance_uuid \
    FROM async_job j LEFT JOIN account a ON a.id = j.account_id LEFT JOIN domain d ON d.id = a.domain_id \
    LEFT JOIN user u ON u.id = j.user_id LEFT JOIN mshost m ON m.msid = j.job_executing_msid";

fn job(row: &Row) -> Result<JobRow, StoreError> {
    let text = |name: &str| Ok::<_, StoreError>(row.get::<Option<String>>(name)?.unwrap_or_default());
    let number = |name: &str| Ok::<_, StoreError>(row.get::<Option<i64>>(name)?.unwrap_or_default());
    let status = number("job_status")?;
    let server = row.get::<Option<String>>("server_uuid")?.zip(row.get::<Option<String>>("server_name")?);
    Ok(JobRow {
        id: row.get("id")?,
        uuid: text("uuid")?,
        account_uuid: text("account_uuid")?,
        account: text("account_name")?,
        account_id: row.get("account_id")?,
        domain_uuid: text("domain_uuid")?,
        domain_path: text("path")?,
        user_uuid: text("user_uuid")?,
        class: text("job_cmd")?,
        status,
        percent: number("job_process_status")?,
        result_code: number("job_result_code")?,
        result: row.get("job_result")?,
        instance_type: row.get("instance_type")?,
        instance_uuid: row.get("instance_uuid")?,
        server,
        created: row.get("created")?,
        completed: if status == 0 { None } else { row.get("last_updated")? },
    })
}

/// The server that claimed a job last: takes the job.
const CLAIMED_BY: &str = "(SELECT m.node_id FROM motion_job m WHERE m.job_id = ?)";

/// The row of a server that shows that it is alive and that no other one of its name has replaced: takes its id and epoch.
fn alive(clock: &str) -> String {
    format!("id = ? AND epoch = ? AND lease_until >= {clock}")
}

impl Tx {
    /// Writes a job with the event that announced it, and gives its first claim: a gateway that has accepted a job need not write
    /// once more that it runs it. The claim is good if the gateway is alive and has not been replaced; else the job waits for one
    /// that is. In the same transaction [`Tx::submission_earlier`] has found no
    /// job that it repeats, unless it is [nameless](Submission::is_nameless).
    ///
    /// A duplicate key means that it repeats one: look for it.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn job_insert(
        &mut self,
        new: &NewJob,
        start_event_id: i64,
        server: &Server,
    ) -> Result<Claim, StoreError> {
        let now = Timestamp::now();
        let (instance_type, instance_id) = new.instance.clone().unzip();
        let sql = "INSERT INTO async_job (user_id, account_id, instance_type, instance_id, job_cmd, job_cmd_info, job_cmd_ver, \
            job_status, job_process_status, job_result_code, job_init_msid, created, last_updated, uuid, related, \
            job_dispatcher, job_pending_signals) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?, ?, ?, ?, '', 'ApiAsyncJobDispatcher', 0)";
        let args = args![
            new.user_id,
            new.account_id,
            instance_type,
            instance_id,
            &new.class,
            &new.parameters,
            server.id,
            now,
            now,
            &new.uuid
        ];
        let job_id = self.run(sql, args).await?.id;
        self.is_about_job(job_id);
        // One that is not alive has no claim, and later ones, which count on, must not come to look like it.
        let sql = format!(
            "INSERT INTO motion_job (job_id, command, parameters, start_event_id, request_id, node_id, epoch) \
             VALUES (?, ?, ?, ?, ?, ?, (SELECT 2 - COUNT(*) FROM motion_node WHERE {}))",
            alive(self.clock())
        );
        let (command, request) = (&new.command, &new.request_id);
        let args = args![job_id, command, &new.parameters, start_event_id, request, server.id, server.id, server.epoch];
        self.run(&sql, args).await?;
        self.submission_insert(job_id, new.account_id, &new.submission).await?;
        Ok(Claim { job_id, epoch: 1 })
    }

    /// Writes that the server whose claim it is works on a job, which only waits before that.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn job_begin(&mut self, job_id: i64) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE async_job SET job_executing_msid = {CLAIMED_BY} WHERE id = ? AND job_executing_msid IS NULL AND {}",
            jobs_accepting(JobEvent::Claim)
        );
        self.run(&sql, args![job_id, job_id]).await.map(|_| ())
    }

    /// Writes down what a job has made, by its internal number.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn job_made(&mut self, job_id: i64, made_id: i64) -> Result<(), StoreError> {
        self.run("UPDATE motion_job SET made_id = ? WHERE job_id = ?", args![made_id, job_id]).await.map(|_| ())
    }

    /// Writes the end of a job, once: false when it had ended before.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn job_finish(
        &mut self,
        job_id: i64,
        status: JobStatus,
        code: i64,
        result: &str,
    ) -> Result<bool, StoreError> {
        let now = Timestamp::now();
        let sql = format!(
            "UPDATE async_job SET job_status = ?, job_result_code = ?, job_result = ?, job_complete_msid = {CLAIMED_BY}, \
             job_executing_msid = NULL, last_updated = ?, removed = ? WHERE id = ? AND {}",
            jobs_accepting(status.event())
        );
        let result = self.fitting(result, usize::MAX);
        let done = self.run(&sql, args![status.number(), code, result, job_id, now, now, job_id]).await?;
        self.run("DELETE FROM motion_lock WHERE job_id = ?", args![job_id]).await?;
        self.submission_ended(job_id).await?;
        let sql =
            "UPDATE motion_cancel SET state = 'ended', updated = ? WHERE job_id = ? AND state IN ('wanted', 'asked')";
        self.run(sql, args![now, job_id]).await?;
        Ok(done.rows == 1)
    }

    /// Makes sure that a claim is the latest of its job, and that no later one is committed before this transaction.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] when there is a later one.
    pub(super) async fn assert_claim(&mut self, claim: Claim) -> Result<(), StoreError> {
        // The row has to change: a cluster notices no collision with a statement that changes nothing.
        let sql = "UPDATE motion_job SET writes = writes + 1 WHERE job_id = ? AND epoch = ?";
        let done = self.run(sql, args![claim.job_id, claim.epoch]).await?;
        if done.rows == 1 { Ok(()) } else { Err(StoreError::Superseded { job_id: claim.job_id }) }
    }
}

/// The jobs to which `event` applies, by the number of their status.
pub(super) fn jobs_accepting(event: JobEvent) -> String {
    let numbers: Vec<String> = JobStatus::before(event).iter().map(|status| status.number().to_string()).collect();
    format!("job_status IN ({})", numbers.join(", "))
}

impl Store {
    /// Takes a job away from whoever runs it: nothing more is written under a claim of it that was made before.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn job_fence(&self, job_id: i64) -> Result<(), StoreError> {
        self.db().run("UPDATE motion_job SET epoch = epoch + 1 WHERE job_id = ?", args![job_id]).await?;
        Ok(())
    }

    /// Claims a job for a gateway. Nothing when it has ended, when another gateway that is alive has it, or when this one is
    /// not alive by the database's clock or has been replaced.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn job_claim(&self, job_id: i64, server: &Server) -> Result<Option<Claim>, StoreError> {
        let clock = self.db().clock();
        transact!(self, StoreError, |tx| {
            tx.is_about_job(job_id);
            let sql = format!(
                "UPDATE motion_job SET node_id = ?, epoch = epoch + 1 WHERE job_id = ? \
                 AND (node_id IS NULL OR node_id = ? OR node_id NOT IN (SELECT n.id FROM motion_node n WHERE n.lease_until >= {clock})) \
                 AND EXISTS (SELECT 1 FROM motion_node WHERE {})",
                alive(clock)
            );
            let args = args![server.id, job_id, server.id, server.id, server.epoch];
            if tx.run(&sql, args).await?.rows == 0 {
                return Ok(None);
            }
            let sql = format!(
                "UPDATE async_job SET job_executing_msid = ? WHERE id = ? AND {}",
                jobs_accepting(JobEvent::Claim)
            );
            if tx.run(&sql, args![server.id, job_id]).await?.rows == 0 {
                return Ok(None);
            }
            let row = tx.row("SELECT epoch FROM motion_job WHERE job_id = ?", args![job_id]).await?;
            row.map(|row| Ok(Claim { job_id, epoch: row.at(0)? })).transpose()
        })
    }

    /// The ids of the jobs that have not ended and that no other gateway that is alive has, oldest first.
    ///
    /// # Errors
    /// See [`Store::job_claim`].
    pub async fn jobs_unfinished(&self, server: &Server) -> Result<Vec<i64>, StoreError> {
        let sql = format!(
            "SELECT j.id FROM async_job j JOIN motion_job m ON m.job_id = j.id WHERE j.job_status = 0 \
             AND (m.node_id IS NULL OR m.node_id = ? OR m.node_id NOT IN \
             (SELECT n.id FROM motion_node n WHERE n.lease_until >= {})) ORDER BY j.id",
            self.db().clock()
        );
        self.db().rows(&sql, args![server.id]).await?.iter().map(|row| row.at(0)).collect()
    }

    /// What a job has made, by its internal number, if it has got that far.
    ///
    /// # Errors
    /// See [`Store::job_claim`].
    pub async fn job_made(&self, job_id: i64) -> Result<Option<i64>, StoreError> {
        let row = self.db().row("SELECT made_id FROM motion_job WHERE job_id = ?", args![job_id]).await?;
        Ok(row.map(|row| row.at(0)).transpose()?.flatten())
    }

    /// One job that has not ended.
    ///
    /// # Errors
    /// See [`Store::job_claim`].
    pub async fn job_queued(&self, job_id: i64) -> Result<Option<QueuedJob>, StoreError> {
        let sql = "SELECT j.id, j.uuid, m.command, m.parameters, j.user_id, j.account_id, m.start_event_id, m.request_id, \
            m.epoch FROM async_job j JOIN motion_job m ON m.job_id = j.id WHERE j.job_status = 0 AND j.id = ?";
        let Some(row) = self.db().row(sql, args![job_id]).await? else { return Ok(None) };
        Ok(Some(QueuedJob {
            id: row.get("id")?,
            uuid: row.get("uuid")?,
            command: row.get("command")?,
            parameters: row.get("parameters")?,
            user_id: row.get("user_id")?,
            account_id: row.get("account_id")?,
            start_event_id: row.get::<Option<i64>>("start_event_id")?.unwrap_or_default(),
            request_id: row.get("request_id")?,
            epoch: row.get("epoch")?,
        }))
    }

    /// What a job is about: type and internal id.
    ///
    /// # Errors
    /// See [`Store::job_claim`].
    pub async fn job_subject(&self, job_id: i64) -> Result<Option<(String, i64)>, StoreError> {
        let sql = "SELECT instance_type, instance_id FROM async_job WHERE id = ?";
        let Some(row) = self.db().row(sql, args![job_id]).await? else { return Ok(None) };
        Ok(row.at::<Option<String>>(0)?.zip(row.at::<Option<i64>>(1)?))
    }

    /// The job with the internal id, as clients see it.
    ///
    /// # Errors
    /// See [`Store::job_claim`].
    pub async fn job_by_id(&self, job_id: i64) -> Result<Option<JobRow>, StoreError> {
        self.db().row(&format!("{JOB} WHERE j.id = ?"), args![job_id]).await?.as_ref().map(job).transpose()
    }

    /// Jobs by their internal ids, finished or not, as clients see them; in the order of the ids.
    ///
    /// # Errors
    /// See [`Store::job_claim`].
    pub async fn jobs_by_ids(&self, ids: &[i64]) -> Result<Vec<JobRow>, StoreError> {
        let rows = self.rows_of(&format!("{JOB} WHERE j.id IN ({{ids}})"), ids, &[]).await?;
        let mut jobs = rows.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        jobs.sort_unstable_by_key(|job| job.id);
        Ok(jobs)
    }

    /// The newest job about a thing, finished or not: type name and internal id.
    ///
    /// # Errors
    /// See [`Store::job_claim`].
    pub async fn job_of_instance(&self, kind: &str, id: i64) -> Result<Option<JobRow>, StoreError> {
        let sql = format!("{JOB} WHERE j.instance_type = ? AND j.instance_id = ? ORDER BY j.id DESC LIMIT 1");
        self.db().row(&sql, args![kind, id]).await?.as_ref().map(job).transpose()
    }

    /// Unfinished jobs by id, a page of them, and how many there are in all.
    ///
    /// # Errors
    /// See [`Store::job_claim`].
    pub async fn jobs_list(
        &self,
        filter: &JobFilter,
        limit: i64,
        offset: i64,
    ) -> Result<(i64, Vec<JobRow>), StoreError> {
        let mut condition =
            "WHERE j.job_status = 0 AND j.removed IS NULL AND j.job_dispatcher = 'ApiAsyncJobDispatcher' \
            AND a.type <> 5"
                .to_owned();
        let mut args: Vec<super::Value> = Vec::new();
        let mut narrow = |text: &str, value: super::Value| {
            condition.push_str(" AND ");
            condition.push_str(text);
            args.push(value);
        };
        if let Some(account_id) = filter.account_id {
            narrow("j.account_id = ?", account_id.into());
        }
        match &filter.domain {
            Some((path, true)) => narrow(&below("d.path"), path.into()),
            Some((path, false)) => narrow("d.path = ?", path.into()),
            None => {}
        }
        if let Some(since) = filter.since {
            narrow("j.created >= ?", since.into());
        }
        if let Some(keyword) = &filter.keyword {
            narrow("j.job_cmd LIKE ?", format!("%{keyword}%").into());
        }
        if let Some((kind, id)) = &filter.instance {
            narrow("j.instance_type = ?", kind.into());
            if let Some(id) = id {
                narrow("j.instance_id = ?", (*id).into());
            }
        }
        if let Some(server_id) = filter.server_id {
            narrow("j.job_executing_msid = ?", server_id.into());
        }
        let tables =
            "FROM async_job j LEFT JOIN account a ON a.id = j.account_id LEFT JOIN domain d ON d.id = a.domain_id";
        let count = self.db().row(&format!("SELECT COUNT(*) {tables} {condition}"), args.clone()).await?;
        let count = count.map_or(Ok(0), |row| row.at(0))?;
        args.extend([limit.into(), offset.into()]);
        let rows = self.db().rows(&format!("{JOB} {condition} ORDER BY j.id LIMIT ? OFFSET ?"), args).await?;
        Ok((count, rows.iter().map(job).collect::<Result<_, _>>()?))
    }
}
