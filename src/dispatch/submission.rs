//! What the submission of a job is known by: the id and the key that its client chose, and what it asks for.

use crate::api::{ApiError, Args, CommandSpec, Input, Params as _, Submitting, flatten};
use crate::auth::session::fingerprint;
use crate::commands::Registered;
use crate::store::Submission;

/// Reads what a submission is known by. What it asks for is its command and the declared parameters as they were sent: two
/// spellings of an id are two things.
///
/// # Errors
/// 431 when the id is no lower-case UUID, or the key has letters that cannot be seen or too many of them.
pub(super) async fn read(input: &Input<'_>, command: &Registered, joins_equal: bool) -> Result<Submission, ApiError> {
    let custom_id = custom_job_id(input.args)?;
    let key = Submitting::decode(input).await?.idempotency_key;
    if key.as_ref().is_some_and(|key| key.chars().any(char::is_control)) {
        return Err(input.invalid("idempotencykey has letters that cannot be seen"));
    }
    let spec = command.entry.spec;
    let asked = (spec.name, declared(input.args.canonical(), spec));
    let digest = fingerprint(&serde_json::json!(asked).to_string());
    Ok(Submission { digest, key: key.as_deref().map(fingerprint), custom_id, joins_equal })
}

/// The id that the client chose for the job. Lower-case UUIDs only.
fn custom_job_id(args: &Args<'_>) -> Result<Option<String>, ApiError> {
    let Some(id) = args.text("customjobid") else {
        return Ok(None);
    };
    let is_uuid = id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        });
    if is_uuid {
        Ok(Some(id.to_owned()))
    } else {
        Err(ApiError::invalid_parameter(format!("UUID: {id} doesn't follow the UUID format")))
    }
}

/// What a job needs to remember of its parameters: those that the command declares. Whatever else a client sent, also what
/// proves who it is, is not written down.
pub(super) fn declared(pairs: Vec<(String, String)>, spec: &'static CommandSpec) -> Vec<(String, String)> {
    let is_declared = |name: &str| {
        let plain = name.split('[').next().unwrap_or(name);
        flatten(spec.params).any(|known| known.name == plain)
    };
    pairs.into_iter().filter(|(name, _)| is_declared(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::find;
    use crate::store::Store;

    async fn known(pairs: &[(&str, &str)]) -> Result<Submission, String> {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let args = Args::unpack(pairs.iter().copied()).unwrap();
        let input = Input { command: "migratevolume", args: &args, ids: &store, is_root: true, default_page_size: 500 };
        let found = read(&input, find("migrateVirtualMachineWithVolume").unwrap(), true).await;
        found.map_err(|error| error.text)
    }

    const MOVE: [(&str, &str); 3] = [("virtualmachineid", "v"), ("migrateto[0].volume", "a"), ("hostid", "h")];

    #[tokio::test]
    async fn order_and_numbers_of_rows_and_what_is_not_asked_for_do_not_count() {
        let plain = known(&MOVE).await.unwrap();
        let other = known(&[
            ("hostId", "h"),
            ("response", "json"),
            ("customjobid", "0000000a-0000-4000-8000-000000000001"),
            ("idempotencykey", "k"),
            ("MIGRATETO[7].volume", "a"),
            ("signature", "s"),
            ("virtualmachineid", "v"),
        ])
        .await
        .unwrap();
        assert_eq!(plain.digest, other.digest);
        assert_eq!(plain.digest.len(), 64);
        assert_eq!((plain.key, plain.custom_id), (None, None));
        assert!(other.key.is_some() && other.custom_id.is_some());
        for (name, value) in [("hostid", "i"), ("virtualmachineid", "V"), ("migrateto[0].pool", "a")] {
            let mut changed: Vec<_> = MOVE.iter().copied().filter(|(known, _)| *known != name).collect();
            changed.push((name, value));
            assert_ne!(known(&changed).await.unwrap().digest, plain.digest, "{name}={value}");
        }
    }

    #[tokio::test]
    async fn keys_are_compared_by_letter_and_have_their_limits() {
        let key = async |key: &str| known(&[("idempotencykey", key)]).await;
        assert_ne!(key("a").await.unwrap().key, key("A").await.unwrap().key);
        assert_ne!(key("a").await.unwrap().key, key("a ").await.unwrap().key);
        assert!(key(&"x".repeat(255)).await.is_ok());
        for wrong in ["", "a\nb", &"x".repeat(256)] {
            assert!(key(wrong).await.is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn ids_are_lower_case_uuids() {
        for wrong in ["", "zz", "0000000A-0000-4000-8000-000000000001", "0000000a-0000-4000-8000-00000000001"] {
            assert!(known(&[("customjobid", wrong)]).await.is_err(), "{wrong:?}");
        }
    }
}
